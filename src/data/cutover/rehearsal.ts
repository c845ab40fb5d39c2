import { sleep } from "../../core/index.ts";
import type { Position } from "../connector.ts";
import type { Move } from "../move/move-data.ts";
import type { PredictedPause } from "./crossing-events.ts";
import type { CrossingLimits } from "./crossing-options.ts";
import { tooLong } from "./crossing-errors.ts";
import { differs, type Equality, takenOf } from "./equality.ts";
import { placeId } from "../verify/expected.ts";
import { placesOf } from "../verify/verify-touched.ts";
import type { Ground } from "./ground.ts";
import type { Stream } from "./stream.ts";
import type { TouchedSides } from "./touched-sides.ts";

/** How often it is tried to come below the limits, with growing breaks between: some 25 s in all. */
const rounds = 10;
const firstBreakMs = 50;
const longestBreakMs = 5_000;
/** What a further round has to make of the predicted pause. */
const worthwhile = 0.7;
/** How often it is asked how far the log is applied. */
const askEveryMs = 2;
/** Looks that tell how long a place takes have at least so many. */
const enough = 50;
/** Of a place, where nothing was looked at yet. */
const guessedMs = 0.05;

interface Looking {
  readonly touched: TouchedSides;
  readonly equality: Equality;
  /** How long reading both sides takes. */
  readonly readMs: number;
  readonly signal: AbortSignal;
}

export interface Rehearsed {
  readonly move: Move;
  readonly predicted: PredictedPause;
}

/**
 * Does what the pause will do without stopping anybody, again and again: applies the log, and reads again what was touched. What is
 * equal then need not be read in the pause. Ends when the pause that this predicts is below the limits; the move goes on.
 *
 * @throws CUTOVER_DATA_PAUSE_TOO_LONG when it does not come below them; nothing was stopped
 */
export async function rehearse(
  ground: Ground,
  stream: Stream,
  touched: TouchedSides,
  equality: Equality,
  readMs: number,
  signal: AbortSignal,
): Promise<Rehearsed> {
  ground.tell({ type: "part", words: "measures how long the pause is going to be" });
  const move = stream.start({ touched: touched.touched, signal });
  try {
    if (!(await move.copied)) await move.done;
    signal.throwIfAborted();
    return { move, predicted: await predict(ground, stream, move, { touched, equality, readMs, signal }) };
  } catch (error) {
    move.pause();
    await move.done.catch(() => {});
    throw error;
  }
}

async function predict(
  ground: Ground,
  stream: Stream,
  move: Move,
  { touched, equality, readMs, signal }: Looking,
): Promise<PredictedPause> {
  const { clock, limits, tell } = ground;
  let perPlace = guessedMs;
  let before = 0;
  let suspected: ReadonlySet<string> = new Set();
  for (let round = 1; ; round++) {
    const applyMs = await timeToApply(ground, stream, move, signal);
    const taken = touched.take();
    const began = clock.monotonic();
    if (taken.complete) {
      const { looked, differences } = await equality.look(taken, signal);
      touched.again(placesOf(differences));
      if (looked >= enough) perPlace = (clock.monotonic() - began) / looked;
      const clashing = takenOf(differences);
      const again = clashing.filter((place) => suspected.has(placeId(place)));
      const caughtUp = async (): Promise<void> => void (await timeToApply(ground, stream, move, signal));
      const clashes = await equality.clashes(again, signal, caughtUp);
      if (clashes.length > 0) throw differs(ground, clashes, "before the cutover");
      suspected = new Set(clashing.map(placeId));
    }
    const asked = clock.monotonic();
    await ground.switch.read();
    const turnMs = 2 * (clock.monotonic() - asked);
    const { size } = touched;
    const compareMs = size * perPlace + (equality.seesClashes ? 0 : readMs);
    const predicted = { ms: applyMs + compareMs + turnMs, applyMs, compareMs, turnMs, touched: size };
    tell({ type: "predicted", pause: predicted });
    const over = overLimits(limits, predicted, touched.complete);
    // Below the limits it is still worth another round, as long as each one makes the pause much shorter.
    const shrinks = round === 1 || predicted.ms < worthwhile * before;
    // A row that has taken another one's place is late, or is to be found before anybody is stopped for it.
    if (over === undefined && ((!shrinks && suspected.size === 0) || round === rounds)) return predicted;
    before = predicted.ms;
    if (over !== undefined && round === rounds)
      throw tooLong(stream.source.name, `${over}; nothing was stopped`, { ...predicted });
    await sleep(clock, Math.min(longestBreakMs, firstBreakMs * 2 ** (round - 1)), signal);
  }
}

/** Why nobody may be stopped yet. */
function overLimits(
  { pauseMs, lagMs, touched: most }: CrossingLimits,
  predicted: PredictedPause,
  complete: boolean,
): string | undefined {
  if (!complete)
    return "expected fewer rows to be written during the verification than are remembered (250,000), found more";
  if (predicted.applyMs > lagMs)
    return `expected the log to be applied within ${lagMs} ms, found that it takes ${Math.round(predicted.applyMs)} ms`;
  if (predicted.touched > most)
    return `expected at most ${most} rows to be read again in the pause, found ${predicted.touched}`;
  if (predicted.ms > pauseMs)
    return `expected a pause of at most ${pauseMs} ms, found that ${Math.round(predicted.ms)} ms are to be expected`;
  return undefined;
}

/** How long it takes until all that the source has now is applied. */
async function timeToApply(
  { clock, limits }: Ground,
  { source }: Stream,
  move: Move,
  signal: AbortSignal,
): Promise<number> {
  const began = clock.monotonic();
  const head: Position = await source.head();
  let over = false;
  const ended = move.done.then(
    () => (over = true),
    () => (over = true),
  );
  // Longer than the limit is too long, however much.
  while (clock.monotonic() - began <= limits.lagMs + longestBreakMs) {
    const progress = move.progress();
    if (progress !== undefined && progress.position >= head) break;
    await Promise.race([sleep(clock, askEveryMs, signal), ended]);
    if (over) {
      await move.done;
      signal.throwIfAborted();
      break;
    }
  }
  return clock.monotonic() - began;
}
