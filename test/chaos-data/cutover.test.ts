import { expect, test } from "vitest";
import { runOnce } from "./cutover-run.ts";
import type { PairName } from "./cutover-sides.ts";

/** A sample; many more: `npx node test/chaos-data/cutover-runs.ts --runs 1000`. */
const sample: readonly (readonly [PairName, string, number])[] = [
  ["leveldb-lmdb", "data.cutover.armed", 1],
  ["leveldb-lmdb", "data.cutover.drained", 1],
  ["leveldb-lmdb", "data.cutover.turned", 2],
  ["lmdb-sqlite", "data.cutover.tried", 2],
  ["lmdb-files", "data.cutover.lifted", 1],
  ["sqlite-sqlite", "data.cutover.applied", 3],
];

test.each(sample)(
  "%s: killed at %s, the %s. time, data crosses, comes back and crosses again, and nothing is lost",
  async (pair, point, hit) => {
    expect(await runOnce(pair, [{ point, hit }])).toEqual({ wrong: undefined, killed: 1 });
  },
  120_000,
);
