import type { ByteEngine, PutBlock } from "./capture-engine.ts";
import { isOwn } from "./capture-moment.ts";
import { rowRefused } from "./capture-refusals.ts";
import type { Change, Chunk, ChunkLimit, TargetWrite } from "./connector.ts";
import type { Fence } from "./fence.ts";
import { packedRefused } from "./packed-write.ts";
import { blockBytes, BlockRows, type RowBlock, rowsOfBlock } from "./row-block.ts";

export interface ScanOptions {
  readonly signal?: AbortSignal;
}

/** The blocks, until the signal aborts. */
export async function* until(
  blocks: AsyncIterable<RowBlock>,
  signal: AbortSignal | undefined,
): AsyncGenerator<RowBlock, void, void> {
  for await (const block of blocks) {
    signal?.throwIfAborted();
    yield block;
  }
}

export const fenceAt = (sequence: number): Fence => ({ kind: "sequence", upTo: String(sequence) });

/** Rows that are larger than a block come one by one. */
export const atMostBlock = (limit: ChunkLimit): ChunkLimit => ({
  ...limit,
  bytes: Math.min(limit.bytes, blockBytes),
});

export function chunkOf(
  { block, end }: { readonly block?: RowBlock; readonly end: boolean },
  sequence: number,
  packed: boolean,
): Chunk {
  const fence = fenceAt(sequence);
  if (block === undefined) return { rows: [], end, fence };
  return packed
    ? { rows: [], packed: new BlockRows(block, true), end, fence }
    : { rows: rowsOfBlock(block), end, fence };
}

export const placedRows = ({ collection, block }: PutBlock): readonly Change[] =>
  rowsOfBlock(block).map(({ key, value }) => ({ collection, key, value }));

/** @throws CUTOVER_DATA_REFUSED for rows in another form, and for a row that the store cannot hold */
export function blockIn(engine: ByteEngine, packed: NonNullable<TargetWrite["packed"]>): PutBlock {
  const { collection, rows } = packed;
  if (engine.refusalIn === undefined || isOwn(packed) || !(rows instanceof BlockRows))
    throw packedRefused(engine.name, packed);
  const { block } = rows;
  const refused = engine.refusalIn(collection, block);
  if (refused !== undefined) throw rowRefused(engine.name, { collection, key: refused.key }, refused.reason);
  return { collection, block };
}
