import { randomBytes } from "node:crypto";
import type { DataMap, DataStore } from "../../src/data/index.ts";
import type { GoBackOptions } from "../../src/data/cutover/crossing-options.ts";
import { streamNames } from "../../src/data/cutover/stream-names.ts";
import type { Switch } from "../../src/data/cutover/switch.ts";
import { startMove } from "../../src/data/move/move-data.ts";
import type { Touched } from "../../src/data/verify/touched.ts";

/** Brings to the target all that the source has when it is called, and has `touched` know of it. */
export const follower =
  (source: DataStore, target: DataStore, touched: Touched, map?: DataMap): (() => Promise<void>) =>
  async () => {
    const sides = { source: touched.source(source), target: touched.target(target) };
    const move = startMove({ ...sides, job: "m", fence: 1, ...(map === undefined ? {} : { map }) });
    move.stopAt(await source.head());
    await move.done;
  };

/** What a backfill that is followed leaves for a crossing of `job`. */
export async function backfilled(
  source: DataStore,
  target: DataStore,
  map?: DataMap,
  collections?: readonly string[],
): Promise<void> {
  const move = startMove({
    source,
    target,
    job: "job",
    fence: 1,
    without: streamNames("job").new.without,
    ...(map === undefined ? {} : { map }),
    ...(collections === undefined ? {} : { ranges: collections.map((collection) => ({ collection })) }),
  });
  move.stopWhenCopied();
  await move.done;
}

/** Options of a crossing of `job`, or of its way back. */
export const crossingOf = (
  sides: { readonly old: DataStore; readonly new: DataStore; readonly switch: Switch },
  more: Partial<GoBackOptions> = {},
): GoBackOptions => ({
  ...sides,
  job: "job",
  fence: 1,
  random: (length) => new Uint8Array(randomBytes(length)),
  ...more,
});
