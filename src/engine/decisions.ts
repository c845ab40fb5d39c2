import { asError, CutoverError, type ErrorCode, errorCatalog, shortId } from "../core/index.ts";
import type { AskedDecision, ErrorRecord, RunEvent, RunRecord, StoredEvent } from "../store/index.ts";
import type { Carrier } from "./carrier.ts";
import {
  approveRecorded,
  continueRecorded,
  liftRecorded,
  pauseRecorded,
  type RecordParts,
  rollbackRecorded,
  settleRecorded,
  triggerRecorded,
} from "./recorded.ts";
import type { RunHandle } from "./run-handle.ts";

/**
 * Decisions between machines. With a store that many processes share there is no socket to speak to: the decision is
 * written into the run's stream, the process that carries the run hears it, acts by the rules of its handle, and
 * answers in the commit of what it did. So it is done once, and it is done by whoever carries the run next when its
 * carrier dies before.
 */
export type Decision = Omit<AskedDecision, "id">;

const types: readonly string[] = ["decision.asked", "decision.answered"];
const pageSize = 100;

/** Acts on the decisions that other processes write for a carried run; returns the way to stop. */
export function hearDecisions(carrier: Carrier, handle: RunHandle): () => void {
  const { settings, memory, journal } = carrier;
  const { store, clock, log, hearEveryMs } = settings;
  if (hearEveryMs === undefined) return () => {};
  const stream = `run:${memory.id}`;
  const open = new Map<string, AskedDecision>();
  let after = 0;
  let over = false;
  let looking = false;
  let again = false;

  const read = async (): Promise<void> => {
    for (;;) {
      const page = await store.events.read({ stream, types, after, limit: pageSize });
      for (const { seq, type, data } of page) {
        after = seq;
        if (type === "decision.asked") open.set(data["id"] as string, data as unknown as AskedDecision);
        else open.delete(data["id"] as string);
      }
      if (page.length < pageSize) return;
    }
  };
  const act = async (asked: AskedDecision): Promise<void> => {
    const { id } = asked;
    carrier.fault("engine.decision.before-act");
    const answer: RunEvent = { type: "decision.answered", data: { id } };
    const { done, went } = journal.along(answer, () => carryOut(handle, memory.phases, asked));
    try {
      await done;
      if (!went) await journal.write(answer);
      carrier.fault("engine.decision.after-act");
    } catch (thrown) {
      if (went || journal.closed !== undefined) throw thrown;
      const { code = "CUTOVER_INTERNAL", message } = asError(thrown) as Partial<CutoverError> & Error;
      await journal.write({ type: "decision.answered", data: { id, error: { code, message } } });
    }
  };
  const look = async (): Promise<void> => {
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    try {
      do {
        again = false;
        await read();
        for (const asked of open.values()) {
          if (over) return;
          open.delete(asked.id);
          await act(asked);
        }
      } while (again && !over);
    } catch (thrown) {
      if (!over && journal.closed === undefined)
        log.warn(`run ${memory.id}: decisions of others cannot be heard: ${asError(thrown).message}`);
    } finally {
      looking = false;
    }
  };
  const hear = (events: readonly StoredEvent[]): void => {
    if (events.some((event) => event.stream === stream && event.type === "decision.asked")) void look();
  };
  const off = store.events.subscribe(hear, { others: false });
  const arm = (): ReturnType<typeof clock.after> =>
    clock.after(hearEveryMs, () => {
      void look().then(() => {
        if (!over) timer = arm();
      });
    });
  let timer = arm();
  void look();
  return () => {
    over = true;
    off();
    timer.cancel();
  };
}

async function carryOut(
  handle: RunHandle,
  phases: ReadonlyMap<string, string>,
  { verb, by, reason, phase, evidence, step = "", outcome = "not-done", trigger = "" }: AskedDecision,
): Promise<void> {
  switch (verb) {
    case "pause":
      return await handle.pause(by, reason);
    case "continue":
      return await handle.continue(by, reason);
    case "rollback":
      return await handle.rollback(by, reason);
    case "approve":
      return await handle.approve(phase ?? onlyWaiting(handle.id, phases), by, reason, evidence);
    case "settle":
      return await handle.settle(step, outcome, by, reason);
    case "trigger":
      return await handle.trigger(trigger, by, reason);
    case "lift":
      return await handle.lift(trigger, by, reason);
  }
}

/** How long a decision waits for the process that carries the run, and how often its lease is tried meanwhile. */
const patienceMs = 20_000;
const tryEveryMs = 2_000;
const lookEveryMs = 200;

/**
 * Decides about a run of a shared store: in the record when nobody carries the run, else through the process that does.
 * Resolves when it is done, with the run as it stands then.
 * @throws what the rules refuse; CUTOVER_OWNER_UNREACHABLE when the carrier did not answer: the decision then stands in
 * the record, and whoever carries the run next acts on it
 */
export async function askDecision(parts: RecordParts, run: string, decision: Decision): Promise<RunRecord> {
  const { store, clock } = parts;
  const until = clock.monotonic() + patienceMs;
  const asked: AskedDecision = { ...decision, id: shortId("d", 10, parts.random) };
  const answered: RunEvent = { type: "decision.answered", data: { id: asked.id } };
  let since: number | undefined;
  for (;;) {
    try {
      // Once it was asked, who does it here says so in the same commit: nobody does it again.
      return await record(since === undefined ? parts : { ...parts, along: answered }, run, asked);
    } catch (thrown) {
      if (since !== undefined && (await answerOf(parts, run, asked.id, since)) === "done")
        return await found(parts, run);
      if ((thrown as { code?: unknown }).code !== "CUTOVER_STORE_OWNED") throw thrown;
    }
    if (since === undefined) {
      const [event] = await store.runs.commit(run, [{ type: "decision.asked", data: asked }]);
      since = event?.seq ?? 0;
    }
    for (const next = clock.monotonic() + tryEveryMs; clock.monotonic() < next;) {
      if ((await answerOf(parts, run, asked.id, since)) === "done") return await found(parts, run);
      if (clock.monotonic() >= until) throw silent(run, asked);
      await heard(parts, run);
    }
  }
}

/** `done` or `open`; throws what the carrier refused it with. */
async function answerOf(
  { store }: Pick<RecordParts, "store">,
  run: string,
  id: string,
  after: number,
): Promise<"done" | "open"> {
  const stream = `run:${run}`;
  const answers = await store.events.read({ stream, types: ["decision.answered"], after, limit: pageSize });
  const answer = answers.find(({ data }) => data["id"] === id);
  if (answer === undefined) return "open";
  const error = answer.data["error"] as ErrorRecord | undefined;
  if (error === undefined) return "done";
  const code = Object.hasOwn(errorCatalog, error.code) ? (error.code as ErrorCode) : "CUTOVER_INTERNAL";
  throw new CutoverError(code, { message: error.message, details: { run } });
}

async function record(parts: RecordParts, run: string, decision: Decision): Promise<RunRecord> {
  const { verb, by, reason, phase, evidence, step = "", outcome = "not-done", trigger = "" } = decision;
  switch (verb) {
    case "pause":
      return await pauseRecorded(parts, run, { by, reason });
    case "continue":
      return await continueRecorded(parts, run, { by, reason });
    case "rollback":
      return await rollbackRecorded(parts, run, { by, reason });
    case "settle":
      return await settleRecorded(parts, run, { step, outcome, by, reason });
    case "trigger":
      return await triggerRecorded(parts, run, { by, reason, trigger });
    case "lift":
      return await liftRecorded(parts, run, { by, reason, trigger });
    case "approve": {
      const phases = (await parts.store.runs.phases(run)).map((each) => [each.phase, each.state] as const);
      const meant = phase ?? onlyWaiting(run, new Map(phases));
      const seen = evidence === undefined ? {} : { evidence };
      return await approveRecorded(parts, run, { by, reason, phase: meant, ...seen });
    }
  }
}

/** The phase an approval without a name means: the only one that waits for one. */
function onlyWaiting(run: string, phases: ReadonlyMap<string, string>): string {
  const waiting = [...phases].filter(([, state]) => state === "AWAITING_APPROVAL").map(([name]) => name);
  const [only, second] = waiting;
  if (only !== undefined && second === undefined) return only;
  throw new CutoverError("CUTOVER_RUN_STATE", {
    message:
      only === undefined
        ? `expected a phase of run ${run} that waits for approval, found none`
        : `expected the name of a phase, found ${waiting.length} that wait: ${waiting.join(", ")}`,
    details: { run, waiting },
  });
}

/** Until the run's stream grows, where the store tells of it, or for a moment. */
async function heard({ store, clock }: RecordParts, run: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const over = (): void => {
      off();
      timer.cancel();
      resolve();
    };
    const off = store.events.subscribe((events: readonly StoredEvent[]) => {
      if (events.some(({ stream }) => stream === `run:${run}`)) over();
    });
    const timer = clock.after(lookEveryMs, over);
  });
}

async function found({ store }: RecordParts, run: string): Promise<RunRecord> {
  const record = await store.runs.get(run);
  if (record !== undefined) return record;
  throw new CutoverError("CUTOVER_RUN_NOT_FOUND", { message: `expected a run ${run}, found none` });
}

const silent = (run: string, { id, verb }: AskedDecision): CutoverError =>
  new CutoverError("CUTOVER_OWNER_UNREACHABLE", {
    message: `expected the process that carries run ${run} to answer within ${patienceMs / 1_000} s, found it silent`,
    details: { run, decision: id, verb },
    remedy: `your ${verb} stands in the record: whoever carries the run next acts on it`,
  });
