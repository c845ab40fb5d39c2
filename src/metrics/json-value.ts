import {
  forWindow,
  getText,
  type HttpOptions,
  httpOptionNames,
  httpProblems,
  httpText,
} from "./http-figure.ts";
import { createSource, type Source, type SourceOptions } from "./source.ts";
import { OptionProblems, shown } from "./source-options.ts";

export interface JsonValueOptions extends SourceOptions, HttpOptions {
  /** `{from}` and `{to}` become the bounds of the stretch asked for (wall-clock milliseconds): for the sides of a `mean`. */
  readonly url: string;
  /** Where the number stands: `queue.depth`, `sides[1].score`, `[0]`; a name with dots in quotes, `["a.b"].c`. Default: the answer itself. */
  readonly path?: string;
}

const names = ["url", "path", "timeout", "cache", ...httpOptionNames];

/**
 * A number in the JSON that an address answers with. Text that reads as a number is no number, `true` and `null` neither.
 *
 * ```ts
 * when(value("validation", jsonValue({ url, path: "score" })).below(0.7)).then("rollback")
 * ```
 */
export function jsonValue(options: JsonValueOptions): Source {
  const problems = new OptionProblems(options, names);
  const { url, path, timeout, cache } = options ?? ({} as JsonValueOptions);
  problems.url(url);
  const steps = path === undefined ? [] : parsePath(path);
  problems.expect(steps !== undefined, "`path` to be like a.b[0].c", path);
  httpProblems(problems, options ?? {});
  return createSource({
    name: `json ${String(url)}`,
    text: JSON.stringify(["json", url, path, httpText(options ?? {})]),
    problems: problems.list,
    timeoutMs: problems.duration("timeout", timeout, "5s"),
    cacheMs: problems.duration("cache", cache, "1s", 0),
    read: async ({ signal, window }) => {
      const text = await getText(forWindow(url, window), options, signal);
      let answer: unknown;
      try {
        answer = JSON.parse(text);
      } catch {
        throw new Error(`expected JSON, found ${shown(text.slice(0, 60))}`);
      }
      return numberAt(answer, steps ?? []);
    },
  });
}

type PathStep = string | number;

/** Undefined for what is no path. */
export function parsePath(path: unknown): readonly PathStep[] | undefined {
  if (typeof path !== "string" || path === "") return undefined;
  const steps: PathStep[] = [];
  const step = /\.?([^.[\]"]+)|\[(\d+)\]|\["([^"]*)"\]/y;
  while (step.lastIndex < path.length) {
    const first = step.lastIndex === 0;
    const found = step.exec(path);
    if (found === null) return undefined;
    const [whole, name, index, quoted] = found;
    // A name begins the path, or follows a dot; a leading dot is as good as none, as in jq.
    if (name !== undefined && !first && !whole.startsWith(".")) return undefined;
    steps.push(index === undefined ? (name ?? quoted ?? "") : Number(index));
  }
  return steps;
}

function numberAt(answer: unknown, steps: readonly PathStep[]): number {
  let found: unknown = answer;
  let place = "the answer";
  for (const step of steps) {
    const inside: unknown =
      typeof found === "object" && found !== null && Object.hasOwn(found, step)
        ? (found as Readonly<Record<PathStep, unknown>>)[step]
        : undefined;
    if (inside === undefined)
      throw new Error(`expected ${place} to hold ${shown(step)}, found ${shown(found)}`);
    found = inside;
    place = typeof step === "number" ? `${place}[${step}]` : `${place}.${step}`;
  }
  if (typeof found !== "number") throw new Error(`expected ${place} to be a number, found ${shown(found)}`);
  return found;
}
