import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { CutoverError } from "cutover";

export const projectRoot: string = join(import.meta.dirname, "../../..");
/** Run from its sources, the example runs the command line from its sources too. */
const fromSource = process.execArgv.includes("--conditions=cutover-source");
const main = join(projectRoot, fromSource ? "src/cli/main.ts" : "dist/cli/main.js");

/** Where one crossing has its things. */
export interface Place {
  /** Work folder: the copy of the data, both queues, ledger and logs. */
  readonly dir: string;
  /** Folder of the Cutover store. */
  readonly store: string;
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
}

/**
 * Runs the command line of Cutover as a person would. `show: true` leaves the terminal to it.
 * @throws CUTOVER_INTERNAL when the project has not been built
 */
export function cutover(
  args: readonly string[],
  { dir, store }: Place,
  options: { readonly show: boolean },
): Promise<Ended> {
  if (!existsSync(main))
    throw new CutoverError("CUTOVER_INTERNAL", {
      message: "expected the built command line in dist/, found none",
      remedy: "run `npm ci` or `npm run build` first",
    });
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [...process.execArgv, main, ...args, "--store", relative(projectRoot, store)],
      {
        cwd: projectRoot,
        stdio: options.show ? "inherit" : ["ignore", "pipe", "ignore"],
        // The definition finds the folder of its server by this name.
        env: { ...process.env, WORK_ORDERS_DIR: dir },
      },
    );
    const chunks: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.once("error", reject);
    child.once("close", (code) =>
      resolve({ code: code ?? 1, stdout: Buffer.concat(chunks).toString("utf8") }),
    );
  });
}

/** What `cutover status --json` says, as far as the example needs it. */
export interface Status {
  readonly runs: readonly { readonly id: string; readonly migration: string; readonly state: string }[];
  readonly view: StatusView | null;
}

export interface StatusView {
  readonly run: {
    readonly id: string;
    readonly state: string;
    readonly reason: string;
    readonly elapsedMs: number;
  };
  readonly phases: readonly {
    readonly name: string;
    readonly state: string;
    readonly elapsedMs: number | null;
  }[];
  readonly wanted: readonly { readonly phase: string }[];
  readonly routes: readonly {
    readonly compared: number;
    readonly mismatches: number;
    readonly failedOver: number;
    readonly alone: { readonly old: number | null; readonly new: number | null };
  }[];
  readonly incidents: readonly { readonly id: string; readonly summary: string }[];
}

export async function readStatus(place: Place): Promise<Status> {
  const { code, stdout } = await cutover(["status", "--json"], place, { show: false });
  const answer = parse(stdout);
  if (answer !== undefined && "runs" in answer) return answer;
  throw new CutoverError("CUTOVER_INTERNAL", {
    message: `expected \`cutover status\` to answer, found ${answer?.error?.message ?? `exit code ${code}`}`,
    ...(answer?.error === undefined ? {} : { remedy: answer.error.remedy }),
  });
}

function parse(text: string): Status | { readonly error?: { message: string; remedy: string } } | undefined {
  try {
    return JSON.parse(text) as Status;
  } catch {
    return undefined;
  }
}
