import { formatDuration } from "../../core/index.ts";
import type { StepContext } from "../../plan/index.ts";
import type { MoveEvent } from "../move/progress.ts";

export const count = (n: number): string => Math.round(n).toLocaleString("en");
export const rowsText = (n: number): string => `${count(n)} ${n === 1 ? "row" : "rows"}`;

/** `12.3 KB`, `3.4 GB`: decimal. */
export function sizeText(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const step = bytes < 1_000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1_000 ** step;
  return `${step === 0 || value >= 99.95 ? count(value) : value.toFixed(1)} ${units[step]}`;
}

/** Rows that go by in one part of a step's work, shown a few times a second with rate and time left. */
export class RowProgress {
  readonly #context: StepContext;
  #doing = "";
  #total: number | undefined;
  #since = 0;
  #rows = 0;
  #bytes = 0;
  #shownAt = -Infinity;

  constructor(context: StepContext) {
    this.#context = context;
  }

  /** Begins a part of the work; `total` rows, where that is known. */
  part(doing: string, total?: number): void {
    this.#doing = doing;
    this.#total = total;
    this.#rows = this.#bytes = 0;
    this.#since = this.#context.clock.monotonic();
    this.#shownAt = -Infinity;
    this.add(0, 0);
  }

  add(rows: number, bytes: number): void {
    this.#rows += rows;
    this.#bytes += bytes;
    const now = this.#context.clock.monotonic();
    if (now - this.#shownAt < 250) return;
    this.#shownAt = now;
    const seconds = (now - this.#since) / 1_000;
    const rate = seconds > 0 ? this.#rows / seconds : 0;
    const left = this.#total === undefined || rate === 0 ? undefined : (this.#total - this.#rows) / rate;
    show(this.#context, this.#rows, this.#total, [
      this.#doing,
      sizeText(this.#bytes),
      ...(rate > 0 ? [`${count(rate)}/s`] : []),
      ...(left !== undefined && left > 0 ? [`about ${formatDuration(left * 1_000)} left`] : []),
    ]);
  }
}

/**
 * Shows what a move tells. Rows that are set aside are warned of when they begin and, where there were more of them, once more in the end:
 * a map that refuses a row in every chunk would else bury everything said beside it. How many there are stands in the progress.
 */
export class MoveTeller {
  readonly #context: StepContext;
  /** Rows of the first warning; 0: none was set aside yet. */
  #warnedOf = 0;

  constructor(context: StepContext) {
    this.#context = context;
  }

  tell(event: MoveEvent): void {
    const context = this.#context;
    if (event.type === "stalled")
      context.progress({ note: `stands still for ${formatDuration(event.forMs)}: ${event.reason}` });
    if (event.type === "aside" && this.#warnedOf === 0) {
      this.#warnedOf = event.rows;
      context.log.warn(`${rowsText(event.rows)} set aside so far: ${event.reason}`);
    }
    if (event.type !== "progress" && event.type !== "copied") return;
    const { rows, totalRows, bytes, rowsPerSecond, leftMs, changes, aside, held, lagMs } = event.progress;
    show(context, rows, totalRows, [
      sizeText(bytes),
      ...(rowsPerSecond > 0 ? [`${count(rowsPerSecond)}/s`] : []),
      ...(leftMs === undefined ? [] : [`about ${formatDuration(leftMs)} left`]),
      ...(changes > 0 ? [`${count(changes)} changes applied`] : []),
      ...(lagMs >= 1_000 ? [`changes wait ${formatDuration(lagMs)}`] : []),
      ...(aside > 0 ? [`${count(aside)} set aside`] : []),
      ...(held === undefined ? [] : [`waits: ${held}`]),
    ]);
  }

  /** It has ended, with so many rows aside in all, those of earlier attempts among them. */
  end(aside: number): void {
    if (this.#warnedOf > 0 && aside > this.#warnedOf)
      this.#context.log.warn(
        `${rowsText(aside)} set aside in all; cutover report --aside lists them with their reasons`,
      );
  }
}

function show(context: StepContext, done: number, total: number | undefined, words: readonly string[]): void {
  context.progress({
    done,
    // Totals are estimates of the store: what is done is never more than all.
    ...(total === undefined ? {} : { total: Math.max(total, done) }),
    unit: "rows",
    note: words.join(" · "),
  });
}
