import type { SQLInputValue } from "node:sqlite";
import type { Change, ChunkLimit, Range, Row } from "../connector.ts";
import type { Statements } from "./sqlite-rows.ts";

/** Rows of the collections of moves: bytes as they are, whatever the file's tables look like. */
export function writeOwn(statements: Statements, { collection, key, value }: Change): void {
  if (value === null)
    statements.get("DELETE FROM cutover_own WHERE collection = ? AND key = ?").run(collection, key);
  else
    statements
      .get("INSERT OR REPLACE INTO cutover_own (collection, key, value) VALUES (?, ?, ?)")
      .run(collection, key, value);
}

export function getOwn(
  statements: Statements,
  there: boolean,
  collection: string,
  key: Uint8Array,
): Uint8Array | undefined {
  if (!there) return undefined;
  const found = statements
    .get("SELECT value FROM cutover_own WHERE collection = ? AND key = ?")
    .get(collection, key);
  return (found as unknown as readonly [Uint8Array] | undefined)?.[0];
}

function condition({ collection, after, upTo }: Range): {
  readonly where: string;
  readonly values: readonly SQLInputValue[];
} {
  const where = `collection = ?${after === undefined ? "" : " AND key > ?"}${upTo === undefined ? "" : " AND key <= ?"}`;
  return {
    where,
    values: [collection, ...(after === undefined ? [] : [after]), ...(upTo === undefined ? [] : [upTo])],
  };
}

export function readOwn(
  statements: Statements,
  there: boolean,
  range: Range,
  limit: ChunkLimit,
): { readonly rows: readonly Row[]; readonly end: boolean } {
  if (!there) return { rows: [], end: true };
  const { where, values } = condition(range);
  const rows: Row[] = [];
  let bytes = 0;
  for (const row of statements
    .get(`SELECT key, value FROM cutover_own WHERE ${where} ORDER BY key`)
    .iterate(...values)) {
    const [key, value] = row as unknown as readonly [Uint8Array, Uint8Array];
    bytes += key.length + value.length;
    if (rows.length >= limit.rows || (bytes > limit.bytes && rows.length > 0)) return { rows, end: false };
    rows.push({ key, value });
    if (bytes >= limit.bytes) return { rows, end: false };
  }
  return { rows, end: true };
}

export function countOwn(statements: Statements, there: boolean, range: Range): number {
  if (!there) return 0;
  const { where, values } = condition(range);
  const [count] = statements
    .get(`SELECT count(*) FROM cutover_own WHERE ${where}`)
    .get(...values) as unknown as [bigint];
  return Number(count);
}
