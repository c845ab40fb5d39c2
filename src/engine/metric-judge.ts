import { asError, type Clock, type Interval, type JsonObject, type Log } from "../core/index.ts";
import { createJudge, type Declared, type Judge } from "../gates/index.ts";
import { measureToJson, type MetricGate, type Verdict } from "../plan/index.ts";
import type { Store } from "../store/index.ts";
import type { Judgement } from "./judges.ts";
import { MeanFeed } from "./mean-feed.ts";
import { OpenQuestion } from "./open-question.ts";
import { type Tally, tally } from "./tally.ts";

/**
 * A figure that has not come for so long cannot be read, as with the source of a mean, milliseconds. Where two of its
 * intervals are longer it has those: a probe may take up to one, and that it did is a reading.
 */
const longestReading = 30_000;

/** What judges read of a store. */
export interface MeasuredStore {
  readonly routes: Pick<Store["routes"], "arrivals" | "get" | "intervals">;
}

export interface MetricSources {
  readonly runId: string;
  readonly store: MeasuredStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly readMemory: (() => number | Promise<number>) | undefined;
  /** Routes that measures without a route add up: those the run changed or its definition names. */
  readonly touched: Set<string>;
}

export interface JudgeSources extends MetricSources {
  /** What applications declare about a route, and did in this run; undefined while none has. */
  readonly declared: (
    route: string,
  ) => Promise<(Declared & { readonly gone: readonly string[] }) | undefined>;
}

/** Doors report in turn: a plain limit, which speaks of the last windows, takes what is at most so late. */
const latestMs = 10_000;
/** How far back the old side is remembered, to compare with once the new side has all the traffic. */
const memoryMs = 3_600_000;

/**
 * One measure under one rule, fed from the store. Which evidence counts:
 *
 * - Ratios and rates ("worse than old", "below") use every interval since `since`: their tests weigh each interval
 *   by its own share, so a change of stage or share costs nothing that was learned.
 * - Plain limits start anew whenever the route's epoch changes: "n of the last m intervals" speaks of one state of
 *   the route, and windows of 10 % say little about 50 %.
 * - A value is read once an interval of its rule, memory at each look but at most ten times an interval; a mean's source
 *   is asked for stretch after stretch.
 * - A backlog also uses what doors said in the hour before `since`: a gauge stands until the next.
 */
export class MetricJudge {
  readonly since: number;
  readonly #sources: JudgeSources;
  readonly #gate: MetricGate;
  #judge: Judge;
  #tally: Tally;
  /** Per route: how far the arrivals were read, and the end of the newest interval taken in. */
  readonly #cursors = new Map<string, { readonly position: number; readonly newest: number }>();
  readonly #epochs = new Map<string, number>();
  #nextReading = Number.NEGATIVE_INFINITY;
  /** Why the last reading failed; until one succeeds there is no verdict. */
  #trouble: string | undefined;
  readonly #reading: OpenQuestion<number>;
  readonly #means: MeanFeed | undefined;

  constructor(sources: JudgeSources, gate: MetricGate, since: number) {
    this.#sources = sources;
    this.#gate = gate;
    this.since = since;
    this.#judge = createJudge(gate.rule, gate.measure);
    this.#tally = tally();
    const intervalMs = gate.rule.kind === "limit" ? gate.rule.intervalMs : 0;
    this.#reading = new OpenQuestion(sources.clock, Math.max(longestReading, 2 * intervalMs));
    this.#means = gate.measure.of === "mean" ? new MeanFeed(gate.measure, sources, since) : undefined;
  }

  /** Takes in what is new and says what it means. */
  async look(signal: AbortSignal = new AbortController().signal): Promise<Judgement> {
    const { measure, rule } = this.#gate;
    let note = "";
    if (measure.of === "memory" || measure.of === "value") await this.#read(signal);
    else if (this.#means !== undefined) await this.#ask(this.#means, signal);
    else {
      if (measure.of === "coverage") note = await this.#expect(measure.route);
      await this.#feed();
    }
    const facts = this.#tally.facts();
    const verdict: Verdict & { readonly figures: JsonObject } =
      this.#trouble === undefined
        ? this.#judge.verdict(undefined, this.#sources.clock.now())
        : { kind: "hold", reason: this.#trouble, figures: {} };
    if ("route" in measure && facts["intervals"] === 0)
      note += `; no door has reported on ${measure.route} since judging began`;
    const evidence: JsonObject = {
      measure: measureToJson(measure),
      rule: { ...rule },
      since: this.since,
      figures: verdict.figures,
      ...facts,
    };
    return {
      verdict: verdict.kind === "hold" ? { ...verdict, reason: verdict.reason + note } : verdict,
      evidence,
    };
  }

  /** What applications declare now; answers with what only applications declared that are gone. */
  async #expect(route: string): Promise<string> {
    const declared = await this.#sources.declared(route);
    if (declared === undefined) return "";
    const { gone, ...expected } = declared;
    this.#judge.expect(expected);
    return gone.length === 0 ? "" : `; declared only by applications that are gone: ${gone.join(", ")}`;
  }

  /** Until the source answers again there is no verdict: what it kept back may be what counts. */
  async #ask(means: MeanFeed, signal: AbortSignal): Promise<void> {
    try {
      await means.look(signal, (reading) => {
        this.#judge.addMeans([reading]);
        this.#trouble = undefined;
      });
    } catch (thrown) {
      this.#trouble = `${this.#gate.name} cannot be read: ${asError(thrown).message}`;
    }
  }

  /** Until the reader answers again there is no verdict; whoever stops the run does not wait for it. */
  async #read(signal: AbortSignal): Promise<void> {
    const { measure, rule } = this.#gate;
    const { clock, readMemory } = this.#sources;
    if (clock.monotonic() < this.#nextReading) return;
    const interval = rule.kind === "limit" ? rule.intervalMs : 0;
    const pace = measure.of === "value" ? interval : interval / 10;
    this.#nextReading = clock.monotonic() + pace;
    try {
      const value = await this.#reading.answer(signal, (given) =>
        measure.of === "value" ? measure.read({ signal: given }) : (readMemory?.() ?? Number.NaN),
      );
      this.#judge.addReadings([{ at: clock.now(), value }]);
      this.#trouble = undefined;
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      this.#trouble = `${this.#gate.name} cannot be read: ${asError(thrown).message}`;
    }
  }

  async #feed(): Promise<void> {
    const { measure } = this.#gate;
    const named = "route" in measure ? measure.route : undefined;
    const routes = named === undefined ? [...this.#sources.touched] : [named];
    const fresh: Interval[] = [];
    for (const route of routes) {
      if (this.#gate.rule.kind === "limit") await this.#followEpoch(route);
      fresh.push(...(await this.#newIntervals(route)));
    }
    fresh.sort((a, b) => a.to - b.to);
    this.#take(fresh);
  }

  /** When the route changed since the last look, a plain limit starts anew. */
  async #followEpoch(route: string): Promise<void> {
    const epoch = (await this.#sources.store.routes.get(route))?.epoch ?? 0;
    const known = this.#epochs.get(route);
    this.#epochs.set(route, epoch);
    if (known === undefined || known === epoch) return;
    this.#judge = createJudge(this.#gate.rule, this.#gate.measure);
    this.#tally = tally();
  }

  async #newIntervals(route: string): Promise<readonly Interval[]> {
    const { routes } = this.#sources.store;
    const cursor = this.#cursors.get(route);
    if (cursor === undefined && this.#gate.rule.kind !== "limit") {
      const earlier = await routes.intervals({ route, since: this.since - memoryMs });
      this.#judge.remember(earlier.filter(({ to }) => to <= this.since));
    }
    // A clock that was set back must not blind the judge: what arrives from now on is new, whatever its time.
    const now = this.#sources.clock.now();
    const since = cursor !== undefined && now < this.since ? now - latestMs : this.since;
    const found = await routes.arrivals({ route, after: cursor?.position ?? 0, since });
    const newest = found.intervals.reduce(
      (latest, { to }) => Math.max(latest, to),
      cursor?.newest ?? this.since,
    );
    this.#cursors.set(route, { position: found.position, newest });
    if (this.#gate.rule.kind !== "limit") return found.intervals;
    const epoch = this.#epochs.get(route);
    const oldest = Math.min(cursor?.newest ?? this.since, now) - latestMs;
    return found.intervals.filter((interval) => interval.epoch === epoch && interval.to > oldest);
  }

  #take(fresh: readonly Interval[]): void {
    for (const interval of fresh) {
      try {
        this.#judge.add([interval]);
        this.#tally.add(interval);
      } catch (thrown) {
        // One door that miscounts must not silence the others.
        const { log } = this.#sources;
        log.warn(`interval ${interval.id} of ${interval.route} is passed over: ${asError(thrown).message}`);
      }
    }
  }
}
