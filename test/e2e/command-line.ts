import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

export const root: string = resolve(import.meta.dirname, "../..");
/** The built command line. */
export const main: string = join(root, "dist/cli/main.js");

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has printed so far. */
  output(): string;
}

/** A project of its own in the temp folder, where the built package is installed. */
export class Project implements Disposable {
  readonly dir: string = mkdtempSync(join(tmpdir(), "cutover-e2e-"));
  readonly #running = new Set<ChildProcess>();

  constructor() {
    if (!existsSync(main))
      throw new Error(`expected the built command line at ${main}: run \`npm run build\``);
    mkdirSync(join(this.dir, "node_modules"));
    symlinkSync(root, join(this.dir, "node_modules/cutover"));
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  write(name: string, content: string): void {
    writeFileSync(this.path(name), content);
  }

  read(name: string): string {
    return existsSync(this.path(name)) ? readFileSync(this.path(name), "utf8") : "";
  }

  /** Lines of a file, e.g. of a ledger that steps write. */
  lines(name: string): readonly string[] {
    return this.read(name)
      .split("\n")
      .filter((line) => line !== "");
  }

  /** Starts `cutover …` as a person without a terminal would. */
  start(
    args: readonly string[],
    options: { readonly node?: readonly string[]; readonly env?: NodeJS.ProcessEnv } = {},
  ): Running {
    const child = spawn(process.execPath, [...(options.node ?? []), main, ...args], {
      cwd: this.dir,
      env: { ...process.env, NO_COLOR: "1", NODE_OPTIONS: "", ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#running.add(child);
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => (stdout += String(chunk)));
    child.stderr.on("data", (chunk) => (stderr += String(chunk)));
    const ended = new Promise<Ended>((settle, reject) => {
      child.on("error", reject);
      child.on("close", (code) => {
        this.#running.delete(child);
        settle({ code, stdout, stderr });
      });
    });
    return { child, ended, output: () => stdout + stderr };
  }

  /** Runs `cutover …` to its end. */
  run(...args: readonly string[]): Promise<Ended> {
    return this.start(args).ended;
  }

  /** Runs `cutover … --json` and reads its one document; for NDJSON the last line. */
  async json<T>(...args: readonly string[]): Promise<T> {
    const { stdout } = await this.run(...args, "--json");
    try {
      return JSON.parse(stdout) as T;
    } catch {
      return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as T;
    }
  }

  /** Ends whatever is left and removes the folder. */
  [Symbol.dispose](): void {
    for (const child of this.#running) child.kill("SIGKILL");
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Waits until `done` is true; real processes are at work, so this looks again and again. */
export async function until(
  done: () => boolean | Promise<boolean>,
  what: string,
  limitMs = 20_000,
): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await done())) {
    if (Date.now() > end) throw new Error(`expected within ${limitMs} ms: ${what}`);
    await wait(20);
  }
}

/** Status as `cutover status --json` gives it, as far as the tests look. */
export interface Status {
  readonly owner: { readonly pid: number } | null;
  readonly runs: readonly { readonly id: string; readonly state: string }[];
  readonly view: {
    readonly run: { readonly id: string; readonly state: string };
    readonly phases: readonly { readonly name: string; readonly state: string }[];
    readonly wanted: readonly { readonly phase: string }[];
    readonly overrides: readonly { readonly what: string }[];
  } | null;
}
