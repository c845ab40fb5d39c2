import { afterAll, beforeAll, expect, test } from "vitest";
import { runOnce } from "./cutover-run.ts";
import type { PairName } from "./cutover-sides.ts";
import { ChaosServer, isPostgres } from "./postgres-pair.ts";

/** A sample; many more: `npx node test/chaos-data/cutover-runs.ts --runs 1000`. */
const sample: readonly (readonly [PairName, string, number])[] = [
  ["leveldb-lmdb", "data.cutover.armed", 1],
  ["leveldb-lmdb", "data.cutover.drained", 1],
  ["leveldb-lmdb", "data.cutover.turned", 2],
  ["lmdb-sqlite", "data.cutover.tried", 2],
  ["lmdb-files", "data.cutover.lifted", 1],
  ["sqlite-sqlite", "data.cutover.applied", 3],
  ["postgres-postgres", "data.cutover.drained", 2],
  ["postgres-mapped", "data.cutover.turned", 1],
];

let server: ChaosServer;
beforeAll(async () => {
  server = await ChaosServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());

test.each(sample)(
  "%s: killed at %s, the %s. time, data crosses, comes back and crosses again, and nothing is lost",
  async (pair, point, hit) => {
    const lane = isPostgres(pair) ? await server.lane() : undefined;
    const { wrong, killed } = await runOnce(pair, [{ point, hit }], lane);
    expect([wrong, killed.map((kill) => kill.point)]).toEqual([undefined, [point]]);
  },
  120_000,
);
