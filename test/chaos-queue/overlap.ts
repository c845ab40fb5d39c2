import { type Book, type Lived, nameOf, type Span } from "./book.ts";
import { leaseMs, limitConcurrency } from "./plan.ts";

/** How long a process may stand still and yet end its work in time: so much of the lease is left for it. */
export const shortStillMs: number = leaseMs / 6;

/** Before this many milliseconds ago nothing is to blame for the loss of a lease: it was renewed since. */
const blameMs = 1.5 * leaseMs;

const overlaps = (span: Span, from: number, to: number): boolean => span.to >= from && span.from <= to;

/**
 * Until when an attempt ran without doubt and was allowed to: until its end, its process's end, or the moment from which its
 * process stood still. That it may have gone on after it stood still is what fences are for.
 */
function ranUntil({ still, ended }: Book, { process, begin, end }: Lived): number {
  // A process that went on just before the attempt began may have learned of its claim before it stood still.
  const stops = (still.get(process) ?? []).filter((span) => overlaps(span, begin - shortStillMs, end));
  const first = Math.min(
    end,
    ended.get(process) ?? Number.POSITIVE_INFINITY,
    ...stops.map(({ from }) => from),
  );
  return Math.max(begin, first);
}

/** Attempts of one order at the same time, and more orders of one key at the same time than its limit allows. */
export function togetherWrong(book: Book): readonly string[] {
  return [
    ...crowded(book, ({ n }) => String(n), 1).map(
      ([before, next]) => `two attempts at the same time: ${tell(book, before)}; ${tell(book, next)}`,
    ),
    ...crowded(book, ({ limit }) => limit, limitConcurrency).map(
      ([before, next]) =>
        `more than ${limitConcurrency} at the same time of ${next.limit}: ${tell(book, before)}; ${tell(book, next)}`,
    ),
  ];
}

/** Each attempt that began while as many of its group as may be ran already, after one of those. */
function crowded(
  book: Book,
  groupOf: (attempt: Lived) => string | undefined,
  most: number,
): readonly (readonly [Lived, Lived])[] {
  const groups = Map.groupBy(book.attempts, groupOf);
  const found: (readonly [Lived, Lived])[] = [];
  for (const [group, attempts] of groups) {
    if (group === undefined) continue;
    let running: Lived[] = [];
    for (const next of attempts.toSorted((a, b) => a.begin - b.begin)) {
      running = running.filter((attempt) => ranUntil(book, attempt) > next.begin);
      const [first] = running;
      if (first !== undefined && running.length >= most) found.push([first, next]);
      running.push(next);
    }
  }
  return found;
}

/** Claims that were lost although their process and the store were there all the time. `away`: when the store was not. */
export function lostForNothing(book: Book, away: readonly Span[]): readonly string[] {
  return book.attempts
    .filter(({ how, process, end }) => {
      if (how !== "CUTOVER_LEASE_LOST") return false;
      const reasons = [...(book.still.get(process) ?? []), ...away];
      return !reasons.some((span) => overlaps(span, end - blameMs, end));
    })
    .map((attempt) => `its lease was lost for nothing: ${tell(book, attempt)}`);
}

/** Work that went on for longer than a lease after its process went on, although its order had been taken over. */
export function lingering(book: Book): readonly string[] {
  const newest = new Map<number, number>();
  for (const { n, begin } of book.attempts) newest.set(n, Math.max(begin, newest.get(n) ?? 0));
  return book.attempts
    .filter((attempt) => {
      const { n, process, begin } = attempt;
      const end = Math.min(attempt.end, book.ended.get(process) ?? attempt.end);
      const stops = (book.still.get(process) ?? []).filter((span) => overlaps(span, begin, end));
      const wentOn = Math.max(...stops.map(({ to }) => to));
      return stops.length > 0 && (newest.get(n) ?? 0) > begin && end > wentOn + leaseMs;
    })
    .map((attempt) => `it worked on long after it had lost its claim: ${tell(book, attempt)}`);
}

/** Attempts that were overtaken while they ran: their process stood still. */
export function overtaken({ attempts }: Book): number {
  const orders = Map.groupBy(attempts, ({ n }) => n);
  return [...orders.values()].filter((of) => of.some((one) => of.some((other) => within(one, other)))).length;
}

const within = (one: Lived, other: Lived): boolean =>
  other.begin > one.begin && other.begin < one.end && Number.isFinite(one.end);

function tell(book: Book, attempt: Lived): string {
  const { process, attempt: tries, begin, end, how } = attempt;
  const began = book.attempts.reduce((first, one) => Math.min(first, one.begin), begin);
  const from = (at: number): string => `${Math.round(at - began)} ms`;
  return `${nameOf(attempt)} (try ${tries}, process ${process}, ${from(begin)} to ${from(end)} ${how}, sure to ${from(ranUntil(book, attempt))})`;
}
