import { monitorEventLoopDelay } from "node:perf_hooks";
import { getText, type HttpOptions, httpOptionNames, httpProblems, httpText } from "./http-figure.ts";
import { figuresNamed } from "./metrics-page.ts";
import { createSource, type Source, type SourceOptions, unreadable } from "./source.ts";
import { OptionProblems } from "./source-options.ts";

export interface EventLoopOptions extends SourceOptions, HttpOptions {
  /** Of this process: which part of the delays stays below the figure, 0 … 1. Default 0.99. */
  readonly quantile?: number;
  /** Of another process: its page of metrics (text format of Prometheus and OpenMetrics). Left out: this process. */
  readonly url?: string;
  /** The figure's name on that page. Default: the first there is of those that Node's usual exporters write. */
  readonly metric?: string;
}

const names = ["quantile", "url", "metric", "timeout", "cache", ...httpOptionNames];

/** As prom-client and OpenTelemetry's runtime instrumentation name the 99 % quantile, in seconds. */
const usualNames = [
  "nodejs_eventloop_lag_p99_seconds",
  "nodejs_eventloop_delay_p99_seconds",
  "nodejs_eventloop_delay_p99",
];

/** How often the loop's delay is sampled, milliseconds. */
const resolution = 10;

/**
 * How long the event loop keeps what is due waiting, milliseconds: of this process since the reading before, or of
 * another one as its own page of metrics tells it. Nobody can measure another process's loop from outside.
 */
export function eventLoop(options: EventLoopOptions = {}): Source {
  const problems = new OptionProblems(options, names);
  const { quantile = 0.99, url, metric, timeout, cache } = options ?? {};
  if (url === undefined) {
    problems.expect(quantile > 0 && quantile < 1, "`quantile` between 0 and 1", quantile);
    for (const name of ["metric", ...httpOptionNames])
      problems.expect(!(name in (options ?? {})), `no \`${name}\` without a \`url\``, name);
  } else {
    problems.url(url);
    if (metric !== undefined) problems.text("metric", metric);
    problems.expect(
      !("quantile" in options),
      "no `quantile` with a `url`: its page says which one it has",
      quantile,
    );
    httpProblems(problems, options);
  }
  return createSource({
    name: url === undefined ? "event loop" : `event loop ${url}`,
    text: JSON.stringify(["event loop", quantile, url, metric, httpText(options ?? {})]),
    problems: problems.list,
    timeoutMs: problems.duration("timeout", timeout, "5s"),
    cacheMs: problems.duration("cache", cache, "1s", 0),
    read:
      url === undefined
        ? ownDelay(quantile)
        : async ({ signal }) => delayOn(await getText(url, options, signal), metric),
  });
}

/** Begins to watch with its first reading, which therefore knows nothing yet. */
function ownDelay(quantile: number): () => Promise<number> {
  let histogram: ReturnType<typeof monitorEventLoopDelay> | undefined;
  return async () => {
    if (histogram === undefined) {
      histogram = monitorEventLoopDelay({ resolution });
      histogram.enable();
    }
    if (histogram.count === 0)
      throw unreadable("event loop", "it is watched from now on: a figure comes with the next reading");
    // The histogram holds the time between two samples; what is above the resolution is delay. Nanoseconds.
    const delay = Math.max(0, histogram.percentile(quantile * 100) / 1e6 - resolution);
    histogram.reset();
    return delay;
  };
}

function delayOn(page: string, metric: string | undefined): number {
  const wanted = metric === undefined ? usualNames : [metric];
  for (const name of wanted) {
    const figures = figuresNamed(page, name);
    // The slowest process of those the page tells of is the one that keeps somebody waiting.
    if (figures.length > 0) return Math.max(...figures) * (/_(ms|milliseconds)$/.test(name) ? 1 : 1_000);
  }
  throw new Error(
    `expected the metric ${wanted.join(" or ")} on the page, found none: name yours with \`metric\``,
  );
}
