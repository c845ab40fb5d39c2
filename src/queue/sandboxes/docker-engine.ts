import { type Clock, CutoverError, isCutoverError, type JsonObject, sleep } from "../../core/index.ts";
import type { DockerClient, DockerContainer, DockerStream } from "./docker-client.ts";

/** What the engine calls a container of ours by. */
export const containerLabels = {
  claim: "cutover.claim",
  order: "cutover.order",
  kind: "cutover.kind",
  fence: "cutover.fence",
} as const;

/** How long a pull may take; everything else has the time of one answer. */
const pullMs = 15 * 60_000;

/**
 * Calls to the engine, each with a time in which it must answer. The client by itself waits for ever when a connection
 * ends in the middle of an answer, and not all of its calls listen to their abort signal.
 */
export class DockerEngine {
  readonly client: DockerClient;
  readonly answerMs: number;
  readonly clock: Clock;
  readonly #pulls = new Map<string, Promise<void>>();

  constructor(client: DockerClient, answerMs: number, clock: Clock) {
    this.client = client;
    this.answerMs = answerMs;
    this.clock = clock;
  }

  /**
   * @throws CUTOVER_SANDBOX_UNAVAILABLE when nobody answers, or with a 5xx · CUTOVER_ORDER_FAILED with `details.status` for
   * a refusal that would come again
   */
  async call<T>(
    what: string,
    work: (abortSignal: AbortSignal) => Promise<T>,
    ms: number = this.answerMs,
  ): Promise<T> {
    const abort = new AbortController();
    const late = Promise.withResolvers<never>();
    const timer = this.clock.after(ms, () => {
      late.reject(unavailable(what, `gave no answer within ${ms} ms`));
      abort.abort();
    });
    const answer = work(abort.signal);
    answer.catch(() => {});
    try {
      return await Promise.race([answer, late.promise]);
    } catch (error) {
      throw isCutoverError(error) ? error : refusal(what, error);
    } finally {
      timer.cancel();
    }
  }

  /** Makes sure that the image is there. Orders that need the same one share a pull. */
  async provide(image: string, pull: "missing" | "always" | "never"): Promise<void> {
    if (pull !== "always") {
      try {
        await this.call(`look for image ${image}`, () => this.client.getImage(image).inspect());
        return;
      } catch (error) {
        if (statusOf(error) !== 404) throw error;
        if (pull === "never") {
          throw new CutoverError("CUTOVER_ORDER_FAILED", {
            message: `the Docker engine has no image ${image}, and pull is "never"`,
            details: { image, status: 404, class: "fatal" },
            remedy: `docker pull ${image}`,
          });
        }
      }
    }
    const known = this.#pulls.get(image);
    if (known !== undefined) return known;
    const pulling = this.call(`pull image ${image}`, (signal) => this.#pull(image, signal), pullMs);
    this.#pulls.set(image, pulling);
    try {
      await pulling;
    } finally {
      this.#pulls.delete(image);
    }
  }

  /** Containers of a claim, whoever made them; also those whose making was never answered. */
  async find(claim: string): Promise<readonly DockerContainer[]> {
    const filters = { label: [`${containerLabels.claim}=${claim}`] };
    const found = await this.call("list containers", (abortSignal) =>
      this.client.listContainers({ all: true, filters, abortSignal }),
    );
    return found.map(({ Id }) => this.client.getContainer(Id));
  }

  /** Asks a container to end, waits up to `graceMs`, kills it, takes it away. One that is gone already is fine. */
  async end(container: DockerContainer, graceMs: number): Promise<void> {
    const stopped = this.stop(container, graceMs);
    await Promise.race([stopped, sleep(this.clock, graceMs)]);
    await this.remove(container);
    await stopped.catch(() => {});
  }

  /** The engine sends the stop signal of the image, then SIGKILL; its grace counts in whole seconds. */
  stop(container: DockerContainer, graceMs: number): Promise<void> {
    return this.#unlessGone("stop container", graceMs + this.answerMs, (abortSignal) =>
      container.stop({ t: Math.ceil(graceMs / 1_000), abortSignal }),
    );
  }

  kill(container: DockerContainer): Promise<void> {
    return this.#unlessGone("kill container", this.answerMs, (abortSignal) =>
      container.kill({ signal: "SIGKILL", abortSignal }),
    );
  }

  /** Kills it when it runs. */
  remove(container: DockerContainer): Promise<void> {
    return this.#unlessGone("remove container", this.answerMs, (abortSignal) =>
      container.remove({ force: true, v: true, abortSignal }),
    );
  }

  /** 304: stopped already; 404: gone; 409: does not run, or is being removed by somebody else. */
  async #unlessGone(
    what: string,
    ms: number,
    work: (abortSignal: AbortSignal) => Promise<unknown>,
  ): Promise<void> {
    try {
      await this.call(what, work, ms);
    } catch (error) {
      if (![304, 404, 409].includes(statusOf(error) ?? 0)) throw error;
    }
  }

  async #pull(image: string, abortSignal: AbortSignal): Promise<void> {
    const stream = await this.client.pull(image, { abortSignal });
    let rest = "";
    let last: JsonObject = {};
    for await (const chunk of abortable(stream, abortSignal)) {
      const lines = (rest + chunk.toString("utf8")).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line.trim() !== "") last = JSON.parse(line) as JsonObject;
      if (last["error"] !== undefined) break;
    }
    const error = last["error"];
    if (error === undefined) return;
    throw unavailable(`pull image ${image}`, `said: ${JSON.stringify(error)}`);
  }
}

/** Ends the stream when the signal aborts, so that reading it ends. */
function abortable(stream: DockerStream, signal: AbortSignal): DockerStream {
  signal.addEventListener("abort", () => void stream.destroy(), { once: true });
  return stream;
}

export function statusOf(error: unknown): number | undefined {
  const status = isCutoverError(error) ? error.details["status"] : undefined;
  return typeof status === "number" ? status : undefined;
}

/** Without a cause: ENOENT of a missing socket would class the order as beyond mending. */
function unavailable(what: string, how: string, details: JsonObject = {}): CutoverError {
  return new CutoverError("CUTOVER_SANDBOX_UNAVAILABLE", {
    message: `the Docker engine, asked to ${what}, ${how}`,
    details: { call: what, ...details },
    remedy: "start the Docker engine, or name the right one with DOCKER_HOST or the option `engine`",
  });
}

function refusal(what: string, thrown: unknown): CutoverError {
  const { statusCode, json, code, message } = thrown as {
    statusCode?: number;
    json?: { message?: unknown };
    code?: string;
    message?: string;
  };
  if (statusCode === undefined) {
    return unavailable(what, `could not be reached: ${code ?? message ?? "unknown"}`, {
      reason: code ?? "unknown",
    });
  }
  const said = typeof json?.message === "string" ? json.message : (message ?? "").trim();
  // 429: a registry, or what stands before the engine, wants to be asked later.
  if (statusCode >= 500 || statusCode === 429)
    return unavailable(what, `failed: ${said}`, { status: statusCode });
  return new CutoverError("CUTOVER_ORDER_FAILED", {
    message: `the Docker engine refused to ${what}: ${said}`,
    details: { call: what, status: statusCode, class: "fatal" },
  });
}
