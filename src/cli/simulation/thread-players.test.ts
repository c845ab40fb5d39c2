import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readFault, readTraffic, simulate } from "../../simulation/index.ts";
import { loadMigration } from "../load-migration.ts";
import { threadPlayers, threadsFor } from "./thread-players.ts";

const file = join(import.meta.dirname, "../../../examples/first/crossing.ts");

describe("threads that play runs", () => {
  test("are worth it only where each has some to play", () => {
    expect([threadsFor(5, 8), threadsFor(40, 8), threadsFor(200, 8), threadsFor(200, 1)]).toEqual([
      1, 4, 8, 1,
    ]);
  });

  test("play the same runs as one thread alone", async () => {
    const played = { traffic: readTraffic({ rate: "50/s" }), seed: 4 };
    const options = {
      ...played,
      runs: 4,
      faults: [readFault("crash@live")],
      signal: new AbortController().signal,
    };
    const migration = await loadMigration(file);
    await using pool = threadPlayers(file, played, 2);
    expect(await simulate(migration, { ...options, players: pool.players })).toEqual(
      await simulate(migration, options),
    );
  });

  test("say what is wrong with the definition, and stop when they are told to", async () => {
    const played = { traffic: readTraffic({}), seed: 1 };
    await using lost = threadPlayers(`${file}.missing.ts`, played, 1);
    const [player] = lost.players;
    await expect(player?.play(undefined, 1, new AbortController().signal)).rejects.toMatchObject({
      code: "CUTOVER_PLAN_LOAD",
    });
    await using pool = threadPlayers(file, played, 1);
    await expect(pool.players[0]?.play(undefined, 1, AbortSignal.timeout(1))).rejects.toThrow("timeout");
  });
});
