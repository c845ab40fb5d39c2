import type { Fence } from "../../src/data/index.ts";
import type { ReadChunk } from "../../src/data/move/move-state.ts";

/** Rows by key; keys are single letters, values are numbers that are given out once. */
export type Rows = Readonly<Record<string, number>>;
export type Write = readonly [key: string, value: number | null];

/** A committed transaction of the source, or one that is open. */
export interface SourceTx {
  readonly id: number;
  readonly writes: readonly Write[];
  /** In the log, though not every snapshot sees it yet. */
  readonly logged?: boolean;
}

/** What one transaction of the target is going to write. */
export interface PendingWrite {
  readonly changes: readonly Write[];
  readonly rows: readonly Write[];
  readonly checkpoint: string;
  /** Its checkpoint is written, its rows are not yet: only mutants come here. */
  readonly half?: boolean;
}

/** A worker that carries the move. Its memory is gone with it. */
export interface Worker {
  readonly fence: number;
  /** Its state as the bytes of a checkpoint; undefined until it has read or made one. */
  readonly state?: string;
  readonly claimed: boolean;
  readonly chunks: readonly ReadChunk[];
  readonly pending?: PendingWrite;
  /** Log position that it knows to be committed on the target. */
  readonly saved: number;
}

export interface World {
  readonly log: readonly SourceTx[];
  readonly open: readonly SourceTx[];
  readonly nextId: number;
  readonly nextValue: number;
  readonly writesLeft: number;
  readonly crashesLeft: number;
  readonly takeoversLeft: number;
  /** Log entries that the source has thrown away; undefined: nothing is captured. */
  readonly slot: number | undefined;
  /** The source refuses writes. */
  readonly refusing: boolean;
  /** Where its log ended after open transactions had ended. */
  readonly fencedAt: number | undefined;
  readonly workers: readonly Worker[];
  readonly target: { readonly rows: Rows; readonly checkpoint?: string; readonly fence: number };
  /** For every key the version that the target showed last. */
  readonly seen: Readonly<Record<string, number>>;
  readonly switched: boolean;
}

export const initialRows: Rows = { a: 1, b: 2 };

/** What the source holds when these transactions are seen. */
export function rowsAfter(log: readonly SourceTx[]): Rows {
  const rows: Record<string, number> = { ...initialRows };
  for (const { writes } of log) {
    for (const [key, value] of writes) {
      if (value === null) delete rows[key];
      else rows[key] = value;
    }
  }
  return rows;
}

/** Transactions of the log that a snapshot taken now sees. */
export function visible({ log, open }: World): readonly SourceTx[] {
  const hidden = new Set(open.map(({ id }) => id));
  return log.filter(({ id }) => !hidden.has(id));
}

export function fenceNow({ log, open, nextId }: World, kind: Fence["kind"]): Fence {
  if (kind === "sequence") return { kind, upTo: String(log.length) };
  const running = open.map(({ id }) => id).toSorted((a, b) => a - b);
  return {
    kind,
    xmin: String(running[0] ?? nextId),
    xmax: String(nextId),
    running: running.map(String),
  };
}

/** Values a key had, oldest first; null where it was not there. */
export function history(key: string, log: readonly SourceTx[]): readonly (number | null)[] {
  const later = log.flatMap(({ writes }) => writes.filter(([of]) => of === key).map(([, value]) => value));
  return [initialRows[key] ?? null, ...later];
}

export const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
export const text = (from: Uint8Array): string => Buffer.from(from).toString("latin1");
export const positionAt = (index: number): string => String(index).padStart(3, "0");
