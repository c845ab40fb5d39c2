import { type Duration, systemClock } from "../core/index.ts";
import type { MeanWindow } from "../plan/index.ts";
import { getText, type HttpOptions, httpOptionNames, httpProblems, httpText } from "./http-figure.ts";
import { createSource, type Source, type SourceOptions } from "./source.ts";
import { OptionProblems, shown } from "./source-options.ts";

export type Reduction = "sum" | "mean" | "min" | "max";

export interface PrometheusOptions extends SourceOptions, HttpOptions {
  /** Where the server answers, without `/api/v1/query`, e.g. `http://prometheus:9090`. */
  readonly url: string;
  /**
   * PromQL that gives a scalar or a vector of one. `$window` becomes the length of the stretch asked for, e.g. `10s`: for
   * the sides of a `mean`.
   */
  readonly query: string;
  /** Evaluate the query so long ago by this machine's clock, for figures that come late. Default: the server's now. */
  readonly at?: Duration;
  /** What several series become. Without it they are refused: which one was meant, nobody knows. */
  readonly reduce?: Reduction;
}

const names = ["url", "query", "at", "reduce", "timeout", "cache", ...httpOptionNames];

const reductions: Readonly<Record<Reduction, (values: readonly number[]) => number>> = {
  sum: (values) => values.reduce((sum, value) => sum + value, 0),
  mean: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
  min: (values) => Math.min(...values),
  max: (values) => Math.max(...values),
};

/**
 * The answer of an instant query (`GET /api/v1/query`) of Prometheus, or of what speaks its API (Thanos, Mimir,
 * VictoriaMetrics). An empty result and NaN are no figure: the gate holds.
 *
 * ```ts
 * when(value("error rate", prometheus({ url, query: 'sum(rate(errors[1m])) / sum(rate(calls[1m]))' })).above(0.05)).then("rollback")
 * ```
 */
export function prometheus(options: PrometheusOptions): Source {
  const problems = new OptionProblems(options, names);
  // Validation reports what is wrong; here nothing may throw.
  const { url, query, at, reduce, timeout, cache } = options ?? ({} as PrometheusOptions);
  problems.url(url);
  problems.text("query", query);
  problems.expect(
    reduce === undefined || reduce in reductions,
    "`reduce` to be sum, mean, min or max",
    reduce,
  );
  const agoMs = problems.duration("at", at, 0, 0);
  httpProblems(problems, options ?? {});
  return createSource({
    name: `prometheus ${String(url)}`,
    text: JSON.stringify(["prometheus", url, query, at, reduce, httpText(options ?? {})]),
    problems: problems.list,
    timeoutMs: problems.duration("timeout", timeout, "5s"),
    cacheMs: problems.duration("cache", cache, "1s", 0),
    read: async ({ signal, window }) => {
      const address = new URL(`${url.replace(/\/+$/, "")}/api/v1/query`);
      address.searchParams.set("query", forStretch(query, window));
      const now = at === undefined ? undefined : systemClock.now();
      const time = window?.to ?? now;
      if (time !== undefined) address.searchParams.set("time", String((time - agoMs) / 1_000));
      return figureOf(await getText(address.href, options, signal), reduce);
    },
  });
}

function forStretch(query: string, window: MeanWindow | undefined): string {
  if (!query.includes("$window")) return query;
  if (window === undefined)
    throw new Error(
      "expected a stretch of time for $window, found a reading of now: write a length, e.g. [1m]",
    );
  return query.replaceAll("$window", `${Math.max(1, Math.round(window.to - window.from))}ms`);
}

interface QueryAnswer {
  readonly status?: unknown;
  readonly error?: unknown;
  readonly data?: { readonly resultType?: unknown; readonly result?: unknown };
}

/** The one figure of an answer. @throws for an error, an empty result, several series that nobody reduces, NaN */
export function figureOf(text: string, reduce: Reduction | undefined): number {
  let answer: QueryAnswer | null;
  try {
    answer = JSON.parse(text) as QueryAnswer | null;
  } catch {
    answer = null;
  }
  if (typeof answer?.status !== "string")
    throw new Error(`expected the JSON of a query, found ${shown(text.slice(0, 60))}`);
  if (answer.status !== "success")
    throw new Error(`expected a result, found the error ${shown(answer.error)}`);
  const { resultType, result } = answer.data ?? {};
  if (resultType === "scalar") return sample(result);
  if (resultType === "vector" && !Array.isArray(result))
    throw new Error(`expected a list of series, found ${shown(result)}`);
  if (resultType !== "vector" || !Array.isArray(result))
    throw new Error(
      `expected a scalar or a vector, found ${shown(resultType)}: ask for one moment, not a range`,
    );
  if (result.length === 0) throw new Error("expected one series, found none: the query matches nothing");
  const values = result.map((series: { readonly value?: unknown } | null) => sample(series?.value));
  const [only] = values;
  if (reduce !== undefined) return reductions[reduce](values);
  if (values.length > 1 || only === undefined)
    throw new Error(
      `expected one series, found ${values.length}: aggregate in the query, or set \`reduce\` to sum, mean, min or max`,
    );
  return only;
}

/** A sample is `[time, "value"]`; its value is a text, since JSON knows no NaN. */
function sample(pair: unknown): number {
  const value: unknown = Array.isArray(pair) ? pair[1] : undefined;
  const figure = typeof value === "string" && value.trim() !== "" ? Number(value) : Number.NaN;
  if (!Number.isFinite(figure)) throw new Error(`expected a finite number, found ${shown(value)}`);
  return figure;
}
