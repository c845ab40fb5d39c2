import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { CutoverError } from "cutover";
import { runsScript } from "../crossing/process-command.ts";
import { places, readRecord } from "../server/settings.ts";
import type { Place } from "./cutover-command.ts";

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
export function freshFolders({ dir: workDir, store }: Place, data: string): void {
  const previous = join(dirname(workDir), "previous");
  rmSync(previous, { recursive: true, force: true });
  mkdirSync(previous, { recursive: true });
  if (existsSync(workDir)) renameSync(workDir, join(previous, "work"));
  if (existsSync(store)) renameSync(store, join(previous, "cutover"));
  mkdirSync(workDir, { recursive: true });
  mkdirSync(store, { recursive: true });
  cpSync(data, places(workDir).old, { recursive: true });
}

/** @throws CUTOVER_PORT_IN_USE, before anything was changed */
export async function refuseTakenPort(port: number): Promise<void> {
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once("error", reject);
      probe.listen(port, "127.0.0.1", resolve);
    });
  } catch (cause) {
    throw new CutoverError("CUTOVER_PORT_IN_USE", {
      message: `expected port ${port} to be free for the work-order server, found another process on it`,
      details: { port },
      cause,
    });
  } finally {
    probe.close();
  }
}
