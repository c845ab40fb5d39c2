import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { CutoverError } from "cutover";

export const projectRoot: string = join(import.meta.dirname, "../../..");
/** Run from its sources, the example runs the command line from its sources too. */
const fromSource = process.execArgv.includes("--conditions=cutover-source");
const main = join(projectRoot, fromSource ? "src/cli/main.ts" : "dist/cli/main.js");

export interface Place {
  /** Work folder: stores, settings, ledger, logs. */
  readonly dir: string;
  /** Folder of the Cutover store. */
  readonly store: string;
}

/** Runs the command line of Cutover as a person would. `show: true` leaves the terminal to it. */
export function cutover(
  args: readonly string[],
  { dir, store }: Place,
  { show }: { readonly show: boolean },
): Promise<{ readonly code: number; readonly stdout: string }> {
  if (!existsSync(main))
    throw new CutoverError("CUTOVER_INTERNAL", {
      message: "expected the built command line in dist/, found none",
      remedy: "run `npm ci` or `npm run build` first",
    });
  return new Promise((resolve, reject) => {
    const words = [...process.execArgv, main, ...args, "--store", relative(projectRoot, store)];
    const child = spawn(process.execPath, words, {
      cwd: projectRoot,
      stdio: show ? "inherit" : ["ignore", "pipe", "ignore"],
      env: { ...process.env, LAYERED_MEMORY_DIR: dir },
    });
    let stdout = "";
    child.stdout?.on("data", (chunk: Buffer) => (stdout += chunk.toString("utf8")));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? 1, stdout }));
  });
}

/** What `cutover status --json` says, as far as the example needs it. */
export interface Status {
  readonly runs: readonly { readonly id: string; readonly migration: string; readonly state: string }[];
  readonly view: {
    readonly run: { readonly id: string; readonly state: string; readonly elapsedMs: number };
    readonly phases: readonly {
      readonly name: string;
      readonly state: string;
      readonly elapsedMs: number | null;
    }[];
    readonly wanted: readonly { readonly phase: string }[];
  } | null;
}

export async function readStatus(place: Place): Promise<Status> {
  const { code, stdout } = await cutover(["status", "--json"], place, { show: false });
  try {
    const answer = JSON.parse(stdout) as Status | { readonly error: { readonly message: string } };
    if ("runs" in answer) return answer;
    throw new CutoverError("CUTOVER_INTERNAL", { message: answer.error.message });
  } catch (error) {
    if (error instanceof CutoverError) throw error;
    throw new CutoverError("CUTOVER_INTERNAL", {
      message: `expected \`cutover status\` to answer, found exit code ${code}`,
    });
  }
}
