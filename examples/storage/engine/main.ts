/**
 * The engine as a process of its own: `node main.ts DIR`. It answers at `api.sock`, and opens a door at `door.sock` through which
 * a migration reaches its LevelDB, which only one process can have open.
 */
import { argv, exit } from "node:process";
import { serveData } from "cutover/data";
import { serveApi } from "./api.ts";
import { MemoryEngine } from "./engine.ts";
import { places, type Plan, readRecord } from "./places.ts";

const dir = argv[2] ?? ".";
const files = places(dir);
const plan = readRecord<Plan>(files.plan);
const engine = await MemoryEngine.open(dir);
const door = await serveData({ old: engine.stores.old, new: engine.stores.new }, { socket: files.door });
const api = await serveApi(engine, files.api);

let ending = false;
async function end(): Promise<void> {
  if (ending) return;
  ending = true;
  // Last in, first out: nobody asks any more when the stores close.
  await api[Symbol.asyncDispose]();
  await door[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
  exit(0);
}
process.on("SIGTERM", () => void end());
process.on("SIGINT", () => void end());
setTimeout(() => void end(), plan?.lifeMs ?? 60_000).unref();
