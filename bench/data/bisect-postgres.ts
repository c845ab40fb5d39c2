/**
 * Comparing two tables by checksums of key ranges that the servers calculate, with the factor (32), the limit (16,384 rows) and
 * the checksum (sum of the last 60 bits of the md5 of each row's text) that data-diff is known for; both sides at once, two
 * ranges at a time.
 */
import { pgClient, type PgClient } from "./peers.ts";
import { columns } from "./tables.ts";

const parts = 32;
const small = 16_384;
const lanes = 2;

interface Lane {
  readonly source: PgClient;
  readonly target: PgClient;
}

const text = columns
  .split(", ")
  .map((name) => `coalesce(${name}::text, '<null>')`)
  .join(", ");
const checksum = `SELECT count(*) AS rows, coalesce(sum(('x' || substring(md5(concat_ws('|', ${text})), 18))::bit(60)::bigint), 0) AS sum
  FROM items WHERE id >= $1 AND id < $2`;
const all = `SELECT id, concat_ws('|', ${text}) AS row FROM items WHERE id >= $1 AND id < $2`;

export async function bisectPostgres(
  from: string,
  to: string,
): Promise<{ rows: number; differences: number }> {
  const open = async (): Promise<Lane> => ({ source: await pgClient(from), target: await pgClient(to) });
  const free: Lane[] = [];
  for (let lane = 0; lane < lanes; lane++) free.push(await open());
  const everyLane = [...free];
  const waiting: ((lane: Lane) => void)[] = [];
  const use = async <T>(work: (lane: Lane) => Promise<T>): Promise<T> => {
    const lane = free.pop() ?? (await new Promise<Lane>((resolve) => waiting.push(resolve)));
    try {
      return await work(lane);
    } finally {
      const next = waiting.shift();
      if (next === undefined) free.push(lane);
      else next(lane);
    }
  };
  const both = (lane: Lane, sql: string, low: number, high: number): ReturnType<typeof pair> =>
    pair(lane, sql, [low, high]);
  let differences = 0;
  let rows = 0;
  const search = async (low: number, high: number, top: boolean): Promise<void> => {
    const step = (high - low) / parts;
    const ranges = Array.from({ length: parts }, (_, part) => [
      low + Math.floor(step * part),
      low + Math.floor(step * (part + 1)),
    ]) as [number, number][];
    await Promise.all(
      ranges.map(async ([begin, end]) => {
        const [ours, theirs] = await use((lane) => both(lane, checksum, begin, end));
        if (top) rows += Number(ours[0]?.["rows"]);
        if (ours[0]?.["sum"] === theirs[0]?.["sum"] && ours[0]?.["rows"] === theirs[0]?.["rows"]) return;
        if (Number(ours[0]?.["rows"]) > small) return search(begin, end, false);
        const found = await use((lane) => both(lane, all, begin, end));
        differences += compare(...found);
      }),
    );
  };
  const ends = await use((lane) => pair(lane, "SELECT min(id) AS low, max(id) AS high FROM items", []));
  const low = Math.min(...ends.map(([row]) => Number(row?.["low"])));
  const high = Math.max(...ends.map(([row]) => Number(row?.["high"])));
  await search(low, high + 1, true);
  for (const { source, target } of everyLane) {
    await source.end();
    await target.end();
  }
  return { rows, differences };
}

type Rows = readonly Record<string, unknown>[];

async function pair(
  { source, target }: Lane,
  sql: string,
  values: readonly number[],
): Promise<readonly [Rows, Rows]> {
  const [ours, theirs] = await Promise.all([source.query(sql, values), target.query(sql, values)]);
  return [ours.rows, theirs.rows];
}

function compare(ours: Rows, theirs: Rows): number {
  const there = new Map(theirs.map((row) => [row["id"], row["row"]]));
  let differences = 0;
  for (const { id, row } of ours) {
    if (there.get(id) !== row) differences++;
    there.delete(id);
  }
  return differences + there.size;
}
