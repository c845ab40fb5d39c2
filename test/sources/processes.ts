import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const root = resolve(import.meta.dirname, "../..");
const main = join(root, "src/cli/main.ts");
const node: readonly string[] = ["--conditions=cutover-source"];

export interface Process {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  /** Lines of its stdout so far. */
  readonly lines: readonly string[];
  /** All it said, on both. */
  said(): string;
}

/** A folder of its own with processes in it, run from the sources: command lines and applications. */
export class Place implements Disposable {
  readonly dir: string = mkdtempSync(join(tmpdir(), "cutover-sources-"));
  readonly #children = new Set<ChildProcess>();

  constructor() {
    mkdirSync(join(this.dir, "node_modules"));
    symlinkSync(root, join(this.dir, "node_modules/cutover"));
    writeFileSync(join(this.dir, "package.json"), '{ "type": "module" }');
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  write(name: string, content: string): void {
    writeFileSync(this.path(name), content);
  }

  /** Starts `cutover …`. */
  cutover(args: readonly string[], env: NodeJS.ProcessEnv = {}): Process {
    return this.#spawn([...node, main, ...args], env);
  }

  /** Runs `cutover …` to its end; what it printed. @throws when it does not end with 0 */
  async run(...args: readonly string[]): Promise<string> {
    const process = this.cutover(args);
    const code = await process.ended;
    if (code !== 0) throw new Error(`cutover ${args.join(" ")} ended with ${code}: ${process.said()}`);
    return process.lines.join("\n");
  }

  /**
   * Starts an application with one route, `r`, which says how a call is answered whenever that changes, and by which
   * stage, share and epoch: `new live 50 4`.
   * @param rollout the expression that opens its rollout
   * @param options more options of its route, as they are written
   */
  application(rollout: string, imports = "", options = ""): Process {
    const file = `app-${this.#children.size}-${Date.now()}.ts`;
    this.write(
      file,
      `import { createRollout } from "cutover/rollout";
${imports}
const rollout = ${rollout};
const call = rollout.route("r", { old: (key: string) => "old", new: (key: string) => "new", key: (key) => key, effects: "none", ${options} });
let last = "";
setInterval(() => {
  const answer = call("k");
  const { stage, share, epoch } = call.state();
  const line = [answer, stage, share, epoch].join(" ");
  if (line !== last) console.log((last = line));
}, 5);
process.on("SIGTERM", async () => { await rollout.close(); process.exit(0); });
`,
    );
    return this.#spawn([...node, file], {});
  }

  #spawn(args: readonly string[], env: NodeJS.ProcessEnv): Process {
    const child = spawn(process.execPath, args, {
      cwd: this.dir,
      env: { ...process.env, NO_COLOR: "1", NODE_OPTIONS: "", CUTOVER_TOKEN: "", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#children.add(child);
    let said = "";
    let rest = "";
    const lines: string[] = [];
    child.stdout.on("data", (chunk) => {
      said += String(chunk);
      const parts = (rest + String(chunk)).split("\n");
      rest = parts.pop() ?? "";
      lines.push(...parts);
    });
    child.stderr.on("data", (chunk) => (said += String(chunk)));
    const ended = new Promise<number | null>((settle) => {
      child.on("close", (code) => {
        this.#children.delete(child);
        settle(code);
      });
    });
    return { child, ended, lines, said: () => said };
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill("SIGKILL");
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Waits until `done`; how long that took, milliseconds. */
export async function until(
  done: () => boolean | Promise<boolean>,
  what: string,
  limitMs = 20_000,
): Promise<number> {
  const start = performance.now();
  while (!(await done())) {
    if (performance.now() - start > limitMs) throw new Error(`expected within ${limitMs} ms: ${what}`);
    await pause(10);
  }
  return performance.now() - start;
}

/** Starts `cutover serve` and waits until it answers; its url. */
export async function serve(
  place: Place,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Process & { readonly url: string; readonly port: number }> {
  const process = place.cutover(["serve", "--json", ...args], env);
  await until(() => process.lines.length > 0 || process.child.exitCode !== null, "cutover serve answers");
  if (process.lines[0] === undefined) throw new Error(`cutover serve ended: ${process.said()}`);
  const { url, port } = JSON.parse(process.lines[0]) as { url: string; port: number };
  return { ...process, url, port };
}
