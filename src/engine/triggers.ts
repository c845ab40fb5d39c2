import { type Duration, formatDuration, parseDuration } from "../core/index.ts";
import type { Trigger } from "../plan/index.ts";
import { ConditionJudges } from "./condition-judges.ts";
import { rearmedAt, rearmName } from "./continuation.ts";
import type { Desk } from "./desk.ts";
import { firingEvents, recoveryEvents, stands, triggerHold } from "./firing.ts";
import type { Judgement } from "./judges.ts";
import type { MetricSources } from "./metric-judge.ts";
import { lastVerdict, verdictEvents } from "./records.ts";

/** A trigger whose evidence does not come for so long holds, visibly, milliseconds. */
const longestAnswer = 30_000;

/**
 * The armed triggers of a run. One look judges all that are armed in the phase in hand. What a trigger does next follows
 * from the record alone: since when its verdict is bad or good, and when it fired and recovered last. So a crash at any
 * moment neither loses a firing nor doubles it.
 */
export class Triggers {
  readonly #desk: Desk;
  readonly #judges: ConditionJudges;
  /** Judgements under way, and since when (monotonic). */
  readonly #asked = new Map<string, { readonly at: number; readonly answer: Promise<Judgement> }>();

  constructor(desk: Desk, sources: MetricSources) {
    this.#desk = desk;
    const { judges, memory, graph } = desk;
    this.#judges = new ConditionJudges({ judges, sources, memory, graph });
    this.recallHolds();
  }

  /** The first trigger that slows the run now. */
  get throttledBy(): string | undefined {
    return this.#standing("throttle")[0];
  }

  /** The first trigger that lets no share rise now. */
  get restrainedBy(): string | undefined {
    return this.throttledBy ?? this.#standing("hold")[0];
  }

  /** Sets the holds of triggers that stand, as the record tells of them: after a start, and after somebody continued. */
  recallHolds(): void {
    const { holds, memory } = this.#desk;
    for (const name of this.#standing("hold"))
      holds.set(triggerHold(name), `${name}: ${memory.fired.get(name)?.reason ?? ""}`);
  }

  #standing(action: Trigger["action"]): readonly string[] {
    const { graph, memory } = this.#desk;
    return graph.compiled.triggers
      .filter((trigger) => trigger.action === action && stands(memory, trigger.name))
      .map(({ name }) => name);
  }

  /** Judges what is armed while `phase` is in hand. Stops early when a trigger started a rollback. */
  async look(phase: string, signal: AbortSignal): Promise<void> {
    const { graph } = this.#desk;
    for (const trigger of graph.compiled.triggers) {
      if (trigger.phases !== undefined && !trigger.phases.includes(phase)) {
        await this.#disarm(trigger, phase);
        continue;
      }
      const judgement = await this.#answer(trigger, signal);
      if (signal.aborted || !this.#armed()) return;
      if (judgement !== undefined) await this.#record(trigger, phase, judgement);
    }
  }

  #armed(): boolean {
    const { memory, journal } = this.#desk;
    if (journal.closed !== undefined) return false;
    return memory.state === "RUNNING" || memory.state === "HOLDING" || memory.state === "PAUSED";
  }

  /** Nobody would look whether it recovered: what it slowed in its own phases goes on when they are over. */
  async #disarm({ name, action }: Trigger, phase: string): Promise<void> {
    const lasting = action === "throttle" || action === "hold";
    if (!lasting || !stands(this.#desk.memory, name) || !this.#armed()) return;
    await this.#desk.journal.write(
      ...recoveryEvents(this.#desk, name, `it is not armed in phase "${phase}"`),
    );
    this.#desk.lookNow();
  }

  /** Undefined while its evidence is gathered: a trigger whose evidence hangs must not disarm the others. */
  async #answer(trigger: Trigger, signal: AbortSignal): Promise<Judgement | undefined> {
    const { condition } = trigger;
    if (condition.type === "manual") return undefined;
    const { clock, judgeEveryMs } = this.#desk.settings;
    let asked = this.#asked.get(trigger.name);
    if (asked === undefined) {
      const look = { key: `trigger\n${trigger.name}`, since: this.#evidenceSince(trigger), signal };
      const answer = this.#judges.evaluate(condition, look).finally(() => this.#asked.delete(trigger.name));
      // Whoever still waits for it hears of it; nobody may.
      answer.catch(() => {});
      asked = { at: clock.monotonic(), answer };
      this.#asked.set(trigger.name, asked);
    }
    const late = Promise.withResolvers<undefined>();
    const timer = clock.after(judgeEveryMs, () => late.resolve(undefined));
    try {
      const judgement = await Promise.race([asked.answer, late.promise]);
      if (judgement !== undefined || clock.monotonic() - asked.at < longestAnswer) return judgement;
    } finally {
      timer.cancel();
    }
    const reason = `its evidence has not come for more than ${formatDuration(longestAnswer)}`;
    return { verdict: { kind: "hold", reason }, evidence: { unavailable: reason } };
  }

  /**
   * What it fired on is told; whether that is over, only what comes afterwards can show. A test over everything since
   * the run began would take as long to recover as it took to fail. Pause and rollback end with a person, who says so.
   */
  #evidenceSince({ name, action }: Trigger): number {
    const { memory } = this.#desk;
    const fired = memory.fired.get(name);
    const ended = action === "pause" || action === "rollback";
    const anew = fired?.recoveredAt ?? (ended ? undefined : fired?.firedAt);
    const rearmed = rearmedAt(memory, rearmName("trigger", name));
    return Math.max(memory.createdAt, anew ?? memory.createdAt, rearmed ?? memory.createdAt);
  }

  async #record(trigger: Trigger, phase: string, { verdict, evidence }: Judgement): Promise<void> {
    const { memory, journal, settings } = this.#desk;
    const { name } = trigger;
    const key = { gate: name, role: "trigger" } as const;
    const now = settings.clock.now();
    const before = lastVerdict(memory, key);
    const given = verdictEvents(memory, { ...key, verdict, evidence });
    // A verdict that stays what it was is not recorded again: it stands since the older of its events.
    const since = before?.verdict === verdict.kind ? Math.max(before.at, this.#evidenceSince(trigger)) : now;
    const lasted = now - since;
    const waits = { fire: 0, recover: 0 };
    const stood = stands(memory, name);
    if (verdict.kind === "fail") {
      waits.fire = this.#untilFiring(trigger, lasted, stood, now);
      if (waits.fire <= 0) return await this.#fire(trigger, phase, { verdict, evidence });
    } else if (stood && verdict.kind === "pass") {
      waits.recover = ms(trigger.recover) - lasted;
      if (waits.recover <= 0) return await this.#recover(trigger, given, verdict.reason);
    }
    this.#show(trigger, phase, verdict, waits);
    await journal.write(...given);
  }

  /** Milliseconds until a failed trigger may fire; infinite while what it did stands and nothing is repeated. */
  #untilFiring(
    { name, for: debounce, cooldown, repeat }: Trigger,
    bad: number,
    stood: boolean,
    now: number,
  ): number {
    const firedAt = this.#desk.memory.fired.get(name)?.firedAt;
    const ago = firedAt === undefined ? Number.POSITIVE_INFINITY : now - firedAt;
    if (stood) return repeat === undefined ? Number.POSITIVE_INFINITY : ms(repeat) - ago;
    return Math.max(ms(debounce) - bad, ms(cooldown) - ago);
  }

  #show(
    { name }: Trigger,
    phase: string,
    verdict: Judgement["verdict"],
    waits: { readonly fire: number; readonly recover: number },
  ): void {
    const { live, settings } = this.#desk;
    const soon =
      waits.fire > 0 && Number.isFinite(waits.fire)
        ? ` · fires in ${formatDuration(waits.fire)}`
        : waits.recover > 0
          ? ` · recovers in ${formatDuration(waits.recover)}`
          : "";
    const shown = { gate: name, role: "trigger", ...verdict, reason: verdict.reason + soon, phase };
    live.setVerdict({ ...shown, at: settings.clock.now() });
  }

  async #fire(trigger: Trigger, phase: string, { verdict, evidence }: Judgement): Promise<void> {
    const { memory, journal, standing, settings } = this.#desk;
    const { name, action } = trigger;
    const { reason } = verdict;
    this.#show(trigger, phase, verdict, { fire: 0, recover: 0 });
    settings.log.warn(`trigger ${name}: ${action}, ${reason}`, { phase });
    this.#desk.fault("engine.trigger.before-incident");
    await journal.write(
      ...verdictEvents(memory, { gate: name, role: "trigger", verdict, evidence }),
      ...firingEvents(standing, { name, action, reason, phase, seen: evidence }),
    );
    this.#desk.fault("engine.trigger.after-incident");
  }

  async #recover(
    { name, action }: Trigger,
    given: ReturnType<typeof verdictEvents>,
    reason: string,
  ): Promise<void> {
    this.#desk.fault("engine.trigger.before-recovery");
    await this.#desk.journal.write(...given, ...recoveryEvents(this.#desk, name, reason));
    this.#desk.fault("engine.trigger.after-recovery");
    if (action === "throttle" || action === "hold") this.#desk.lookNow();
  }
}

const ms = (duration: Duration | undefined): number => (duration === undefined ? 0 : parseDuration(duration));
