import type { Position } from "../connector.ts";
import type { MoveCounts } from "./checkpoint.ts";

/** How far a move is. */
export interface MoveProgress extends MoveCounts {
  /** All rows are copied; the log is being followed. */
  readonly copied: boolean;
  /** Rows and bytes of all ranges as the source estimates them; absent when it cannot. */
  readonly totalRows?: number;
  readonly totalBytes?: number;
  /** Rows and bytes copied per second over the last seconds. */
  readonly rowsPerSecond: number;
  readonly bytesPerSecond: number;
  /** Until all is copied, at this rate, milliseconds; absent when it cannot be told. */
  readonly leftMs?: number;
  /** How long the oldest change that came has been waiting for being applied, milliseconds. */
  readonly lagMs: number;
  /** The log is applied up to here. */
  readonly position: Position;
  /** Why no further rows are read now. */
  readonly held?: string;
}

/** What happened to a move. */
export type MoveEvent =
  | { readonly type: "progress"; readonly progress: MoveProgress }
  /** Nothing moved for a while although something is to be done. Told again as long as it lasts. */
  | { readonly type: "stalled"; readonly forMs: number; readonly reason: string }
  /** It moves again after it was stalled. */
  | { readonly type: "moving" }
  /** Rows without an image were put in quarantine; the reason of the first. */
  | { readonly type: "aside"; readonly rows: number; readonly reason: string }
  /** Everything is copied. */
  | { readonly type: "copied"; readonly progress: MoveProgress };

/** Rates over the last `span` milliseconds of what was told. */
export class RateMeter {
  readonly #span: number;
  readonly #points: { readonly at: number; readonly rows: number; readonly bytes: number }[] = [];

  constructor(span = 10_000) {
    this.#span = span;
  }

  add(at: number, { rows, bytes }: Pick<MoveCounts, "rows" | "bytes">): void {
    this.#points.push({ at, rows, bytes });
    // Two points stay, however old: a rate needs both.
    while (this.#points.length > 2 && (this.#points[1]?.at ?? at) < at - this.#span) this.#points.shift();
  }

  /** Rows and bytes per second until `now`. */
  at(now: number): { readonly rows: number; readonly bytes: number } {
    const first = this.#points[0];
    const last = this.#points.at(-1);
    if (first === undefined || last === undefined || now <= first.at) return { rows: 0, bytes: 0 };
    const seconds = (now - first.at) / 1_000;
    return { rows: (last.rows - first.rows) / seconds, bytes: (last.bytes - first.bytes) / seconds };
  }
}
