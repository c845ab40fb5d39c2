import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { CutoverError } from "cutover";
import { runsScript } from "../crossing/process-command.ts";
import { places, readRecord } from "../server/settings.ts";
import { projectRoot } from "./cutover-command.ts";

const store = join(projectRoot, ".cutover");

/** Ends server and load that an earlier start left behind; they are known by id and command line. */
export async function endLeftovers(workDir: string): Promise<void> {
  const files = places(workDir);
  const scripts = { [files.load]: "queue/load.ts", [files.server]: "server/main.ts" };
  for (const [file, script] of Object.entries(scripts)) {
    const pid = readRecord<{ pid: number }>(file)?.pid;
    if (pid === undefined || !runsScript(pid, script)) continue;
    process.kill(pid, "SIGTERM");
    for (let i = 0; i < 100 && runsScript(pid, script); i++)
      await new Promise((resolve) => setTimeout(resolve, 50));
    if (runsScript(pid, script)) process.kill(pid, "SIGKILL");
  }
}

/** Puts what an ended run left behind into `previous/`, and copies the data. */
export function freshFolders(workDir: string, data: string): void {
  if (!existsSync(join(data, "work-orders")) || !existsSync(join(data, "queue-state.json")))
    throw new CutoverError("CUTOVER_DATA_MISSING", {
      message: `expected work-orders/ and queue-state.json in ${data}, found no such data folder`,
      place: data,
    });
  const previous = join(dirname(workDir), "previous");
  rmSync(previous, { recursive: true, force: true });
  mkdirSync(previous, { recursive: true });
  if (existsSync(workDir)) renameSync(workDir, join(previous, "work"));
  if (existsSync(store)) renameSync(store, join(previous, "cutover"));
  mkdirSync(workDir, { recursive: true });
  mkdirSync(store, { recursive: true });
  cpSync(data, places(workDir).old, { recursive: true });
}

export const storeFolder: string = store;
