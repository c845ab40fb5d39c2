import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { health } from "../crossing/server-control.ts";
import { ask, type HttpAnswer } from "../http-client.ts";
import {
  places,
  readRecord,
  type ServerRecord,
  type ServerSettings,
  writeRecord,
} from "../server/settings.ts";

const example = join(import.meta.dirname, "..");

/** A work-order server in a folder of its own, with the real data unless told otherwise. */
export class TemporaryServer implements AsyncDisposable {
  readonly dir: string;
  readonly store: string;
  #child: ChildProcess | undefined;
  #epoch = 0;

  constructor(data: string = join(example, "data")) {
    this.dir = mkdtempSync(join(tmpdir(), "cutover-queue-"));
    this.store = join(this.dir, "store");
    mkdirSync(this.store);
    cpSync(data, places(this.dir).old, { recursive: true });
    const settings: ServerSettings = { port: 0, store: this.store, fault: null, lifeMs: 120_000 };
    writeRecord(places(this.dir).serverSettings, settings);
  }

  get port(): number {
    return readRecord<ServerRecord>(places(this.dir).server)?.port ?? 0;
  }

  async start(): Promise<void> {
    rmSync(places(this.dir).server, { force: true });
    const args = ["--conditions=cutover-source", join(example, "server/main.ts"), this.dir];
    this.#child = spawn(process.execPath, args, { stdio: "ignore" });
    await until("the server answers", async () => (await health(this.dir)) !== undefined);
  }

  /** Puts the route where a crossing would, without one: the door reads this file while no owner answers. */
  async stage(stage: string, share: number): Promise<void> {
    const state = { route: "queue.submit", stage, share, epoch: ++this.#epoch, salt: "test" };
    writeRecord(join(this.store, "routes.json"), { savedAt: Date.now(), routes: [state] });
    await until(`the server is at ${stage} ${share}`, async () => {
      const seen = await health(this.dir);
      return seen?.["stage"] === stage && seen["share"] === share;
    });
  }

  ask(method: string, path: string, body?: unknown): Promise<HttpAnswer> {
    return ask(this.port, method, path, body);
  }

  /** `kill -9` of the server; its new queue's process sees that and ends. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end("SIGTERM");
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await gone;
  }
}

/** Waits for something that another process does; fails with its name after 15 s. */
export async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  for (const limit = Date.now() + 15_000; ;) {
    if (await holds()) return;
    if (Date.now() > limit) throw new Error(`waited 15 s until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
