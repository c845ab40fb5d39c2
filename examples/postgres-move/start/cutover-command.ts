import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { CutoverError } from "cutover";
import { readRecord } from "../settings.ts";

const projectRoot: string = join(import.meta.dirname, "../../..");
/** Run from its sources, the example runs the command line from its sources too. */
const fromSource = process.execArgv.includes("--conditions=cutover-source");
const main = join(projectRoot, fromSource ? "src/cli/main.ts" : "dist/cli/main.js");

/** Where one move has its things. */
export interface Place {
  /** Work folder: records, ledger, logs, the switch, the backup. */
  readonly dir: string;
  /** Folder of the Cutover store. */
  readonly store: string;
}

/**
 * Runs the command line of Cutover as a person would. `show: true` leaves the terminal to it.
 * @throws CUTOVER_INTERNAL when the project has not been built
 */
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
    const child = spawn(process.execPath, [...process.execArgv, main, ...args, "--store", store], {
      cwd: projectRoot,
      stdio: show ? "inherit" : ["ignore", "pipe", "ignore"],
      // The definition finds its work folder by this name.
      env: { ...process.env, POSTGRES_MOVE_DIR: dir },
    });
    const chunks: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.once("error", reject);
    child.once("close", (code) =>
      resolve({ code: code ?? 1, stdout: Buffer.concat(chunks).toString("utf8") }),
    );
  });
}

/** What the record says of a run, as far as the example needs it. */
export interface RunView {
  readonly run: { readonly id: string; readonly state: string };
  readonly phases: readonly {
    readonly name: string;
    readonly state: string;
    readonly elapsedMs: number | null;
  }[];
  readonly wanted: readonly { readonly phase: string }[];
}

export interface Status {
  readonly runs: readonly { readonly id: string; readonly migration: string; readonly state: string }[];
  readonly view: RunView | null;
}

/** @throws CUTOVER_INTERNAL with what the command said */
export async function readStatus(place: Place): Promise<Status> {
  const { code, stdout } = await cutover(["status", "--json"], place, { show: false });
  const answer = parse(stdout);
  if (answer !== undefined && "runs" in answer) return answer;
  throw new CutoverError("CUTOVER_INTERNAL", {
    message: `expected \`cutover status\` to answer, found ${answer?.error?.message ?? `exit code ${code}`}`,
  });
}

function parse(text: string): Status | { readonly error?: { readonly message: string } } | undefined {
  try {
    return JSON.parse(text) as Status;
  } catch {
    return undefined;
  }
}

/** Asks the process that carries the run, without starting a process each time; undefined while there is none. */
export async function viewOfOwner(store: string): Promise<RunView | undefined> {
  const owner = readRecord<{ readonly socket: string }>(join(store, "owner.json"));
  if (owner === undefined) return undefined;
  try {
    const [run] = (await ask(owner.socket, "/v1/runs")) as readonly { readonly id: string }[];
    return run === undefined ? undefined : ((await ask(owner.socket, `/v1/runs/${run.id}`)) as RunView);
  } catch {
    return undefined;
  }
}

function ask(socketPath: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path, timeout: 2_000 }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.once("end", () => {
        try {
          resolve(JSON.parse(Buffer.concat(chunks).toString("utf8")));
        } catch (error) {
          reject(error as Error);
        }
      });
    }).once("error", reject);
  });
}
