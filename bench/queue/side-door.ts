/** The bench's end of a side's process. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { SideSpec } from "./side.ts";
import type { Answer } from "./side-process.ts";
import type { Tasks } from "./tasks.ts";

export class SideDoor implements AsyncDisposable {
  readonly spec: SideSpec;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #last = 0;

  private constructor(spec: SideSpec) {
    this.spec = spec;
    this.#child = fork(join(import.meta.dirname, "side-process.ts"), [JSON.stringify(spec)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#child.on("message", (answer: Answer) => {
      const waiter = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ("error" in answer) waiter?.reject(new Error(`${spec.name}: ${answer.error}`));
      else waiter?.resolve(answer.value);
    });
    this.#child.on("exit", (code, signal) => {
      for (const waiter of this.#waiting.values())
        waiter.reject(new Error(`${spec.name} ended (${signal ?? code})`));
      this.#waiting.clear();
    });
  }

  /** @throws when the side cannot be opened, with its own words */
  static async open(spec: SideSpec): Promise<SideDoor> {
    const door = new SideDoor(spec);
    try {
      await door.#answer(0);
    } catch (error) {
      door.#child.kill("SIGKILL");
      throw error;
    }
    return door;
  }

  do<Task extends keyof Tasks>(task: Task, options: Parameters<Tasks[Task]>[0]): ReturnType<Tasks[Task]> {
    const id = ++this.#last;
    const answer = this.#answer(id);
    this.#child.send({ id, task, options });
    return answer as ReturnType<Tasks[Task]>;
  }

  /** Lets the side close what it holds, for five seconds; then it is ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    await this.do("close", {}).catch(() => {});
    this.#child.kill("SIGKILL");
    await ended;
    clearTimeout(timer);
  }

  #answer(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
  }
}
