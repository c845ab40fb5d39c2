import { readFileSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { asError, type Clock, CutoverError, type RouteState, shortId } from "../../core/index.ts";
import type { ErrorReporter } from "./report-error.ts";
import { readRouteState } from "./route-state.ts";

export interface StageCacheOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly errors: ErrorReporter;
}

/**
 * The stages a server told last, in a file: what a door starts from when the server is away. Several processes may
 * share one; a state with a higher epoch is never replaced by one with a lower.
 */
export class StageCache {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #errors: ErrorReporter;
  readonly #due = new Map<string, RouteState>();
  #writing = false;

  constructor({ path, clock, errors }: StageCacheOptions) {
    this.#path = resolve(path);
    this.#clock = clock;
    this.#errors = errors;
  }

  /** The states kept; none when there is no file or a damaged one, which is told. */
  load(): readonly RouteState[] {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") this.#tell(asError(error).message, error);
      return [];
    }
    try {
      const { routes } = JSON.parse(text) as { routes?: unknown };
      if (!Array.isArray(routes)) throw new Error("no list of routes");
      return routes.map((found: unknown) => readRouteState(found));
    } catch (error) {
      this.#tell(asError(error).message, error);
      return [];
    }
  }

  /** Keeps states, soon and off the caller's path. */
  keep(states: readonly RouteState[]): void {
    for (const state of states) this.#due.set(state.route, state);
    if (this.#writing || this.#due.size === 0) return;
    this.#writing = true;
    setImmediate(() => void this.#write());
  }

  async #write(): Promise<void> {
    const due = [...this.#due.values()];
    this.#due.clear();
    const draft = `${this.#path}.${shortId("", 8)}.new`;
    try {
      const kept = new Map(this.load().map((state) => [state.route, state]));
      let changed = false;
      for (const state of due) {
        const before = kept.get(state.route);
        if (before !== undefined && before.epoch >= state.epoch) continue;
        kept.set(state.route, state);
        changed = true;
      }
      if (changed) {
        const routes = [...kept.values()].toSorted((a, b) => (a.route < b.route ? -1 : 1));
        await writeFile(draft, `${JSON.stringify({ savedAt: this.#clock.now(), routes }, null, 2)}\n`);
        await rename(draft, this.#path);
      }
    } catch (error) {
      await rm(draft, { force: true }).catch(() => {});
      this.#tell(asError(error).message, error);
    }
    this.#writing = false;
    if (this.#due.size > 0) this.keep([]);
  }

  #tell(found: string, cause: unknown): void {
    this.#errors.report(
      new CutoverError("CUTOVER_STAGES_INVALID", {
        message: `expected a file that keeps stages, found: ${found}`,
        place: this.#path,
        remedy: "let the process write there, or remove the damaged file; the door goes on without it",
        cause,
      }),
    );
  }
}
