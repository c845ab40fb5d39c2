/** Plays runs of a migration that it loads itself, as the thread that started it asks. */
import { parentPort, workerData } from "node:worker_threads";
import { runPlayer } from "../../simulation/index.ts";
import { loadMigration } from "../load-migration.ts";
import { toCutoverError } from "../print-error.ts";
import type { PlayAnswer, PlayQuestion, PlayThreadData } from "./thread-players.ts";

const { file, options } = workerData as PlayThreadData;
const loaded = loadMigration(file).then((migration) => runPlayer(migration, options));
// Whoever asks first hears of it.
loaded.catch(() => {});

parentPort?.on("message", ({ fault, run }: PlayQuestion) => {
  void answer(fault, run).then((found) => parentPort?.postMessage(found));
});

async function answer(fault: PlayQuestion["fault"], run: number): Promise<PlayAnswer> {
  try {
    const player = await loaded;
    return { played: await player.play(fault, run, new AbortController().signal) };
  } catch (thrown) {
    const { code, message, place, remedy } = toCutoverError(thrown);
    return { error: { code, message, place, remedy } };
  }
}
