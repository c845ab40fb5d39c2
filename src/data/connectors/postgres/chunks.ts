import type { ChunkLimit, PackedRows, Range, Row } from "../../connector.ts";
import type { SnapshotFence } from "../../fence.ts";
import type { PackedForm } from "./packed-form.ts";
import { PackedReader } from "./packed-rows.ts";
import { RowReader } from "./row-reader.ts";
import type { Session } from "./session.ts";
import { orderBy, quoted, readFrom, selectList, type Shape, within } from "./shape.ts";

/** What is read beyond a limit before the connection is given up: how large rows are shows only when they come. */
const mostBeyond = 16_777_216;
/** Rows asked for first in a table of which nothing is known. */
const firstRows = 500;

/** `xmin:xmax:a,b` as PostgreSQL writes a snapshot. */
export function fenceOf(snapshot: string): SnapshotFence {
  const [xmin = "0", xmax = "0", running = ""] = snapshot.split(":");
  return { kind: "snapshot", xmin, xmax, running: running === "" ? [] : running.split(",") };
}

export function copyOut(shape: Shape, range: Range, store: string, limit?: number): string {
  return `${copyOf(selectList(shape), shape, range, store, limit)} (FORMAT binary)`;
}

function copyOf(list: string, shape: Shape, range: Range, store: string, limit: number | undefined): string {
  return `COPY (SELECT ${list} FROM ${readFrom(shape)} WHERE ${within(shape, range, store)}
    ORDER BY ${orderBy(shape)}${limit === undefined ? "" : ` LIMIT ${limit}`}) TO STDOUT`;
}

/** Bytes of a row on average, by what was read before. */
export type RowSizes = Map<string, number>;

/**
 * Rows from the start of a range within the session's snapshot. COPY cannot be told to end after so many bytes, so rows are asked
 * for in parts, each as many as should fit by the size of those before.
 */
export async function readRows(
  session: Session,
  shape: Shape,
  range: Range,
  limit: ChunkLimit,
  { store, sizes }: { readonly store: string; readonly sizes: RowSizes },
): Promise<{ readonly rows: readonly Row[]; readonly end: boolean }> {
  const { name } = shape.collection;
  const reader = new RowReader(shape);
  let rest = range;
  for (;;) {
    const before = reader.count;
    // One more than asked for tells whether there is more.
    const left = limit.rows + 1 - before;
    const size = sizes.get(name);
    const fit = size === undefined ? firstRows : Math.ceil((limit.bytes - reader.bytes) / size) + 1;
    const wanted = Math.max(1, Math.min(left, fit));
    let beyond = 0;
    let over = false;
    try {
      await session.receive(copyOut(shape, rest, store, wanted), (data, at, end) => {
        if (over) {
          beyond += end - at;
          if (beyond > mostBeyond) session.destroy("rows are larger than was foreseen");
          return;
        }
        reader.read(data, at, end);
        over = reader.bytes > limit.bytes && reader.count > 1;
      });
    } catch (error) {
      if (beyond <= mostBeyond) throw error;
    }
    if (reader.count > 0) sizes.set(name, Math.max(1, reader.bytes / reader.count));
    if (over || reader.count > limit.rows) {
      const rows = reader.take();
      rows.pop();
      return { rows, end: false };
    }
    if (reader.count - before < wanted) return { rows: reader.take(), end: true };
    rest = { ...rest, after: reader.last as Uint8Array };
    reader.again();
  }
}

/** As `readRows`, but nobody looks at the rows. `end` may be told only by the next one, which has no rows. */
export async function readPacked(
  session: Session,
  shape: Shape,
  range: Range,
  limit: ChunkLimit,
  { store, sizes, form }: { readonly store: string; readonly sizes: RowSizes; readonly form: PackedForm },
): Promise<{ readonly packed?: PackedRows; readonly end: boolean }> {
  const name = `${shape.collection.name} packed`;
  const reader = new PackedReader(shape, form);
  const list = shape.columns.map((column) => quoted(column.name)).join(", ");
  let rest = range;
  for (;;) {
    const before = reader.count;
    const size = sizes.get(name);
    const fit = size === undefined ? firstRows : Math.ceil((limit.bytes - reader.bytes) / size) + 1;
    const wanted = Math.max(1, Math.min(limit.rows - before, fit));
    let beyond = 0;
    let over = false;
    try {
      const sql = copyOf(list, shape, rest, store, wanted);
      await session.receive(form.binary ? `${sql} (FORMAT binary)` : sql, (data, at, end) => {
        over ||= !reader.read(data, at, end, limit.bytes);
        if (!over) return;
        beyond += end - at;
        if (beyond > mostBeyond) session.destroy("rows are larger than was foreseen");
      });
    } catch (error) {
      if (beyond <= mostBeyond) throw error;
    }
    if (reader.count > 0) sizes.set(name, Math.max(1, reader.bytes / reader.count));
    const end = !over && reader.count - before < wanted;
    // A few more rows are not worth a statement of their own.
    if (end || over || reader.count >= limit.rows || reader.bytes >= 0.9 * limit.bytes) {
      const packed = reader.take();
      return { ...(packed === undefined ? {} : { packed }), end };
    }
    rest = { ...rest, after: reader.lastKey as Uint8Array };
    reader.again();
  }
}
