import { afterAll, beforeAll, expect, test } from "vitest";
import { runOnce } from "./cutover-run.ts";
import type { CrossingStage, PairName } from "./cutover-sides.ts";
import { ChaosServer, isPostgres } from "./postgres-pair.ts";

/** A sample; many more: `npx node test/chaos-data/cutover-runs.ts --runs 1000`. */
const sample: readonly (readonly [PairName, CrossingStage, string])[] = [
  ["leveldb-lmdb", "over", "data.cutover.armed"],
  ["leveldb-lmdb", "over", "data.cutover.drained"],
  ["leveldb-lmdb", "back", "data.cutover.turned"],
  ["lmdb-sqlite", "back", "data.cutover.tried"],
  ["lmdb-files", "over", "data.cutover.lifted"],
  ["sqlite-sqlite", "again", "data.cutover.applied"],
  ["postgres-postgres", "back", "data.cutover.drained"],
  ["postgres-mapped", "over", "data.cutover.turned"],
];

let server: ChaosServer;
beforeAll(async () => {
  server = await ChaosServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());

test.each(sample)(
  "%s: killed on the way %s, at %s, data crosses, comes back and crosses again, and nothing is lost",
  async (pair, stage, point) => {
    const lane = isPostgres(pair) ? await server.lane() : undefined;
    const { wrong, killed } = await runOnce(pair, [{ stage, point, hit: 1 }], lane);
    expect([wrong, killed.map((kill) => kill.point)]).toEqual([undefined, [point]]);
  },
  120_000,
);
