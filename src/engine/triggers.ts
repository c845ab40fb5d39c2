import { formatDuration } from "../core/index.ts";
import type { Trigger } from "../plan/index.ts";
import type { RunEvent } from "../store/index.ts";
import type { Desk } from "./desk.ts";
import { rearmedAt, rearmName } from "./continuation.ts";
import { rollbackEvents } from "./incidents.ts";
import type { Judgement } from "./judges.ts";
import { lastVerdict, verdictEvents } from "./records.ts";
import { runTransition } from "./transitions.ts";

/** A trigger whose evidence does not come for so long holds, visibly, milliseconds. */
const longestAnswer = 30_000;

/**
 * The armed triggers of a run. One look judges all that are armed in the phase in hand and acts on those whose
 * verdict became "fail" with it. A trigger that has failed acts once; it acts again after its verdict left
 * "fail", or after a person continued the run, which starts its evidence anew.
 */
export class Triggers {
  readonly #desk: Desk;
  #throttledBy: string | undefined;
  /** Judgements under way, and since when (monotonic). */
  readonly #asked = new Map<string, { readonly at: number; readonly answer: Promise<Judgement> }>();

  constructor(desk: Desk) {
    this.#desk = desk;
    const throttling = desk.graph.compiled.triggers.find(
      (trigger) => trigger.action === "throttle" && this.#failed(trigger),
    );
    this.#throttledBy = throttling?.name;
  }

  get throttledBy(): string | undefined {
    return this.#throttledBy;
  }

  /** Judges what is armed while `phase` is in hand. Stops early when a trigger started a rollback. */
  async look(phase: string, signal: AbortSignal): Promise<void> {
    const { memory, graph, journal } = this.#desk;
    for (const trigger of graph.compiled.triggers) {
      if (trigger.phases !== undefined && !trigger.phases.includes(phase)) continue;
      const judgement = await this.#answer(trigger, phase, signal);
      const armed = memory.state === "RUNNING" || memory.state === "HOLDING" || memory.state === "PAUSED";
      if (signal.aborted || journal.closed !== undefined || !armed) return;
      if (judgement !== undefined) await this.#record(trigger, phase, judgement);
    }
  }

  /** Undefined while its evidence is gathered: a trigger whose evidence hangs must not disarm the others. */
  async #answer(trigger: Trigger, phase: string, signal: AbortSignal): Promise<Judgement | undefined> {
    const { clock, judgeEveryMs } = this.#desk.settings;
    let asked = this.#asked.get(trigger.name);
    if (asked === undefined) {
      const answer = this.#judge(trigger, phase, signal).finally(() => this.#asked.delete(trigger.name));
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

  async #judge(trigger: Trigger, phase: string, signal: AbortSignal): Promise<Judgement> {
    const { memory, judges, live, settings } = this.#desk;
    const since = rearmedAt(memory, rearmName("trigger", trigger.name)) ?? memory.createdAt;
    const look = { key: `trigger\n${trigger.name}`, since, signal };
    const judgement = await judges.evaluate(trigger.condition, look);
    const shown = { gate: trigger.name, role: "trigger", ...judgement.verdict, phase };
    live.setVerdict({ ...shown, at: settings.clock.now() });
    return judgement;
  }

  #failed(trigger: Trigger): boolean {
    return lastVerdict(this.#desk.memory, { gate: trigger.name, role: "trigger" })?.verdict === "fail";
  }

  async #record(trigger: Trigger, phase: string, { verdict, evidence }: Judgement): Promise<void> {
    const desk = this.#desk;
    const failedBefore = this.#failed(trigger);
    const given = verdictEvents(desk.memory, { gate: trigger.name, role: "trigger", verdict, evidence });
    if (verdict.kind === "fail" && !failedBefore) {
      desk.settings.log.warn(`trigger ${trigger.name}: ${trigger.action}, ${verdict.reason}`, { phase });
      desk.fault("engine.trigger.before-incident");
      const { name, action } = trigger;
      const fired: RunEvent = {
        type: "trigger.fired",
        data: { trigger: name, action, reason: verdict.reason, phase },
      };
      await desk.journal.write(...given, fired, ...this.#act(trigger, phase, { verdict, evidence }));
      desk.fault("engine.trigger.after-incident");
      return;
    }
    const lifted = verdict.kind !== "fail" && this.#throttledBy === trigger.name;
    if (lifted) this.#throttledBy = undefined;
    const note: RunEvent = {
      type: "note.added",
      data: { by: `trigger ${trigger.name}`, text: `throttle lifted: ${verdict.reason}` },
    };
    await desk.journal.write(...given, ...(lifted ? [note] : []));
    if (lifted) desk.wake();
  }

  #act(trigger: Trigger, phase: string, { verdict, evidence }: Judgement): readonly RunEvent[] {
    const { memory, standing } = this.#desk;
    const reason = `${trigger.name}: ${verdict.reason}`;
    const by = `trigger ${trigger.name}`;
    switch (trigger.action) {
      case "alert":
        return [{ type: "note.added", data: { by, text: reason, facts: { phase } } }];
      case "pause":
        return memory.state === "PAUSED" ? [] : [runTransition(memory, "pause", { reason, by })];
      case "throttle":
        this.#throttledBy ??= trigger.name;
        return [];
      case "rollback": {
        const seen = { trigger: trigger.name, phase, ...evidence };
        return rollbackEvents(standing, { cause: "trigger", summary: reason, seen });
      }
    }
  }
}
