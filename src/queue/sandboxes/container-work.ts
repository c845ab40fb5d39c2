import {
  type Clock,
  CutoverError,
  faultPoint,
  hasCode,
  type Json,
  type JsonObject,
  sleep,
} from "../../core/index.ts";
import type { OrderRecord } from "../../store/index.ts";
import { BoundedOutput } from "./bounded-output.ts";
import { ContainerOutput, ContainerUsage } from "./container-streams.ts";
import type { DockerContainer, DockerStream } from "./docker-client.ts";
import { type DockerEngine, statusOf } from "./docker-engine.ts";
import type { WorkOrder } from "./in-process.ts";
import type { LeftContainers } from "./left-containers.ts";
import { memoryError } from "./memory-error.ts";
import { claimMark } from "./process-group.ts";
import { type OutcomeSettings, outputEnds, type ProgramEnd, programResult } from "./program-outcome.ts";
import type { Execution, Usage } from "./sandbox.ts";

/** How long the output may say nothing after the container ended before it is read again from the engine's log. */
const quietMs = 2_000;
/** The exit code of a program that SIGKILL ended: 128 + 9. */
const killed = 137;

/** What a container writes, as far as it was read. */
interface Output {
  readonly out: BoundedOutput;
  readonly err: BoundedOutput;
  /** False when the stream could not be had or was cut. */
  readonly ended: Promise<boolean>;
  /** When the last of it came. */
  readonly heardAt: () => number;
}

/** One attempt of an order in a container. */
export class ContainerWork implements Execution {
  readonly #order: OrderRecord;
  readonly #engine: DockerEngine;
  readonly #spec: Readonly<Record<string, unknown>>;
  readonly #settings: OutcomeSettings;
  readonly #leftBehind: LeftContainers;
  readonly #clock: Clock;
  readonly #usage = new ContainerUsage();
  readonly #open = new Set<DockerStream>();
  readonly #closing = new AbortController();
  readonly #givenUp: PromiseWithResolvers<never> = Promise.withResolvers();
  #ended: Promise<unknown> = Promise.resolve();
  #container: DockerContainer | undefined;
  #asked = false;
  #cancelled = false;
  #over = false;

  constructor(
    order: OrderRecord,
    engine: DockerEngine,
    spec: Readonly<Record<string, unknown>>,
    settings: OutcomeSettings,
    leftBehind: LeftContainers,
  ) {
    this.#order = order;
    this.#engine = engine;
    this.#spec = spec;
    this.#settings = settings;
    this.#leftBehind = leftBehind;
    this.#clock = engine.clock;
    this.#givenUp.promise.catch(() => {});
  }

  run(attach: (trace: JsonObject) => Promise<void>): Promise<Json> {
    const work = Promise.race([this.#run(attach), this.#givenUp.promise]);
    this.#ended = work.then(
      () => (this.#over = true),
      () => (this.#over = true),
    );
    return work;
  }

  async #run(attach: (trace: JsonObject) => Promise<void>): Promise<Json> {
    const engine = this.#engine;
    // Recorded before it is there, by its label: a crash at any later moment leaves nothing that is not looked for.
    await attach({ provider: "docker", claim: claimMark(this.#order) });
    this.#refuseCancelled();
    faultPoint("queue.container.before-create");
    this.#asked = true;
    const container = await engine.call("create a container", (abortSignal) =>
      engine.client.createContainer({ ...this.#spec, abortSignal }),
    );
    this.#container = container;
    faultPoint("queue.container.after-create");
    this.#refuseCancelled();
    await engine.call("start a container", (abortSignal) => container.start({ abortSignal }));
    faultPoint("queue.container.after-start");
    if (this.#cancelled) await engine.kill(container);
    void this.#measure(container);
    const following = this.#follow(container);
    const code = await this.#exit(container);
    const { out, err, whole } = await this.#output(container, following);
    if (code === 0 && !whole) throw this.#unread();
    return this.#finish(container, { code, signal: null, stdout: out.text(), stderr: err.text() });
  }

  async cancel(graceMs: number): Promise<void> {
    this.#cancelled = true;
    const container = this.#container;
    if (container !== undefined) {
      const stopping = this.#engine.stop(container, graceMs);
      stopping.catch(() => {});
      await this.#endedWithin(graceMs);
      if (!this.#over) await this.#engine.kill(container).catch(() => {});
    }
    await this.#endedWithin(this.#engine.answerMs);
    if (this.#over) return;
    // Nobody says that it ended: what is left of it is looked for before the order goes on.
    this.#givenUp.reject(
      new CutoverError("CUTOVER_SANDBOX_UNAVAILABLE", {
        message: `the Docker engine did not say that the container of work order ${this.#order.id} ended`,
        details: { id: this.#order.id },
      }),
    );
  }

  async cleanup(): Promise<void> {
    this.#closing.abort();
    for (const stream of this.#open) stream.destroy();
    if (!this.#asked) return;
    const claim = claimMark(this.#order);
    try {
      const found = this.#container === undefined ? await this.#engine.find(claim) : [this.#container];
      for (const container of found) await this.#engine.remove(container);
    } catch (error) {
      this.#leftBehind.add(this.#engine, claim, this.#order.id);
      throw error;
    }
  }

  usage(): Usage | undefined {
    return this.#usage.usage;
  }

  #refuseCancelled(): void {
    if (!this.#cancelled) return;
    throw new CutoverError("CUTOVER_ORDER_CANCELLED", {
      message: `work order ${this.#order.id} was ended before its container was started`,
      details: { id: this.#order.id },
    });
  }

  async #endedWithin(ms: number): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = this.#clock.after(ms, late.resolve);
    await Promise.race([this.#ended, late.promise]);
    timer.cancel();
  }

  /**
   * The engine holds the answer to `wait` until the container ends. Because such a connection can be cut without a word,
   * the container is also looked at from time to time; an engine that restarts has the time of an answer to come back.
   */
  async #exit(container: DockerContainer): Promise<number> {
    const engine = this.#engine;
    const { signal } = this.#closing;
    let waiting = this.#wait(container);
    let lastAnswer = this.#clock.monotonic();
    for (;;) {
      const code = await Promise.race([waiting, this.#pause(engine.answerMs / 3)]);
      if (typeof code === "number") return code;
      try {
        const { State } = await engine.call("inspect a container", (abortSignal) =>
          container.inspect({ abortSignal }),
        );
        if (!State.Running && State.Status !== "created") return State.ExitCode;
        lastAnswer = this.#clock.monotonic();
      } catch (error) {
        const patient = this.#clock.monotonic() - lastAnswer < engine.answerMs;
        if (!hasCode(error, "CUTOVER_SANDBOX_UNAVAILABLE") || !patient) throw this.#gone(error);
      }
      if (code === "cut") {
        await sleep(this.#clock, engine.answerMs / 30, signal);
        waiting = this.#wait(container);
      }
    }
  }

  #gone(error: unknown): unknown {
    if (statusOf(error) !== 404) return error;
    return new CutoverError("CUTOVER_ORDER_FAILED", {
      message: `somebody removed the container of work order ${this.#order.id} while it ran`,
      details: { id: this.#order.id, container: this.#container?.id ?? null },
    });
  }

  #wait(container: DockerContainer): Promise<number | "cut"> {
    return container.wait({ abortSignal: this.#closing.signal }).then(
      ({ StatusCode }) => StatusCode,
      () => "cut",
    );
  }

  #pause(ms: number): Promise<undefined> {
    return sleep(this.#clock, ms, this.#closing.signal).then(
      () => undefined,
      () => undefined,
    );
  }

  /** What it writes, as it comes. */
  #follow(container: DockerContainer): Output {
    const out = new BoundedOutput(this.#settings.output);
    const err = new BoundedOutput(this.#settings.output);
    const frames = new ContainerOutput(out, err);
    let heardAt = this.#clock.monotonic();
    const write = (chunk: Buffer): void => {
      heardAt = this.#clock.monotonic();
      frames.write(chunk);
    };
    const ended = this.#read("read output", { write }, (abortSignal) =>
      container.logs({ follow: true, stdout: true, stderr: true, abortSignal }),
    );
    return { out, err, ended, heardAt: () => heardAt };
  }

  /** The output that was followed, or read again from the engine's log when its stream was cut. */
  async #output(
    container: DockerContainer,
    following: Output,
  ): Promise<{ out: BoundedOutput; err: BoundedOutput; whole: boolean }> {
    if (await this.#isWhole(following, quietMs)) return { ...following, whole: true };
    const again = this.#follow(container);
    if (await this.#isWhole(again, Math.max(quietMs, this.#engine.answerMs)))
      return { ...again, whole: true };
    return { ...(again.out.total + again.err.total > 0 ? again : following), whole: false };
  }

  /** False when the stream was cut, or said nothing for so long: one that delivers is not late. */
  async #isWhole({ ended, heardAt }: Output, ms: number): Promise<boolean> {
    const from = this.#clock.monotonic();
    for (;;) {
      const left = Math.max(from, heardAt()) + ms - this.#clock.monotonic();
      if (left <= 0 || this.#closing.signal.aborted) return false;
      const whole = await Promise.race([ended, this.#pause(left)]);
      if (whole !== undefined) return whole;
    }
  }

  /** Half an output is no result: it could be taken for a whole one. */
  #unread(): CutoverError {
    const { id } = this.#order;
    return new CutoverError("CUTOVER_SANDBOX_UNAVAILABLE", {
      message: `expected what the container of work order ${id} wrote, found that the Docker engine does not give it whole`,
      details: { id, container: this.#container?.id ?? null },
      remedy: "see whether `docker logs` works for containers with the log driver json-file",
    });
  }

  async #measure(container: DockerContainer): Promise<void> {
    await this.#read("measure a container", this.#usage, (abortSignal) =>
      container.stats({ stream: true, abortSignal }),
    );
  }

  /** False when the stream could not be had or was cut: neither may fail the work. */
  async #read(
    what: string,
    sink: { write(chunk: Buffer): void },
    open: (abortSignal: AbortSignal) => Promise<DockerStream>,
  ): Promise<boolean> {
    try {
      const stream = await this.#engine.call(what, open);
      this.#open.add(stream);
      for await (const chunk of stream) sink.write(chunk);
      return true;
    } catch {
      return false;
    }
  }

  async #finish(container: DockerContainer, end: ProgramEnd): Promise<Json> {
    if (end.code !== 0 && (await this.#outOfMemory(container))) {
      throw memoryError(this.#order, undefined, { exitCode: end.code, ...outputEnds(end) });
    }
    // The engine tells a signal only as an exit code.
    const told = end.code === killed ? { ...end, code: null, signal: "SIGKILL" } : end;
    return programResult(
      `the container of ${String(this.#spec["Image"])}`,
      told,
      this.#order as WorkOrder,
      this.#settings,
    );
  }

  async #outOfMemory(container: DockerContainer): Promise<boolean> {
    try {
      const { State } = await this.#engine.call("inspect a container", (abortSignal) =>
        container.inspect({ abortSignal }),
      );
      return State.OOMKilled;
    } catch {
      return false;
    }
  }
}
