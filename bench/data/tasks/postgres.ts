import { pipeline } from "node:stream/promises";
import { endMove, moveData, openPostgresData } from "../../../src/data/index.ts";
import { timed } from "../meter.ts";
import { copyStreams, pgClient } from "../peers.ts";
import type { Done } from "../process.ts";

/** Ours: slot, snapshots, a checkpoint in every transaction of the target. */
export async function move({ from, to }: { from: string; to: string }): Promise<Done> {
  await using source = await openPostgresData(from);
  await using target = await openPostgresData(to);
  const done = await timed(async () => {
    const { progress } = await moveData({ source, target, job: "bench", fence: 1 });
    return progress.rows;
  });
  await endMove({ source, target, job: "bench" });
  return done;
}

/** One COPY into the other: nothing of it is there when it ends early, and it begins anew. */
export async function pipe({ from, to }: { from: string; to: string }): Promise<Done> {
  const [source, target] = [await pgClient(from), await pgClient(to)];
  const copy = copyStreams();
  const done = await timed(async () => {
    await pipeline(
      source.query(copy.to("COPY items TO STDOUT (FORMAT binary)")),
      target.query(copy.from("COPY items FROM STDIN (FORMAT binary)")),
    );
    return Number((await target.query("SELECT count(*) AS rows FROM items")).rows[0]?.["rows"]);
  });
  await source.end();
  await target.end();
  return done;
}
