import { formatDuration } from "../core/index.ts";
import { latency, perSecond, sharePercent } from "./figures.ts";
import { html, Markup } from "./markup.ts";
import type { RoutePoint, RouteView } from "./run-view.ts";

/** Drawing area in its own units; the page stretches it, so it holds no text. */
const width = 600;
const height = 120;

type Line = readonly (number | null)[];

/** Share, calls and p99 of a route over the run: three stacked pictures on one time axis. */
export function routeCharts(route: RouteView): Markup {
  const { series } = route;
  const first = series[0];
  const last = series.at(-1);
  if (first === undefined || last === undefined || series.length < 2) return html``;
  return html`<div class="charts">
    ${chart(
      "calls a second",
      series,
      series.map((point) => point.old.rate),
      series.map((point) => point.new.rate),
      perSecond,
      `errors: old ${route.sides.old.errors}, new ${route.sides.new.errors}`,
    )}
    ${chart(
      "p99",
      series,
      series.map((point) => point.old.p99),
      series.map((point) => point.new.p99),
      latency,
      "",
    )}
    <div class="axis"><span>start</span><span>+${formatDuration(last.to - first.from)}</span></div>
  </div>`;
}

function chart(
  title: string,
  series: readonly RoutePoint[],
  old: Line,
  fresh: Line,
  unit: (value: number | null) => string,
  note: string,
): Markup {
  const top = Math.max(0, ...old.map((value) => value ?? 0), ...fresh.map((value) => value ?? 0));
  const label = `${title} over time, old and new side, at most ${unit(top)}; ${note}`;
  return html`<figure>
    <figcaption>
      <b>${title}</b> <span class="dim">to ${unit(top)}${note === "" ? "" : ` · ${note}`}</span>
    </figcaption>
    <svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" role="img" aria-label="${label}">
      <path class="share" d="${shareArea(series)}" />
      <path class="old" d="${path(old, top)}" />
      <path class="new" d="${path(fresh, top)}" />
    </svg>
  </figure>`;
}

/** The share of the new side as a filled staircase from the bottom. */
function shareArea(series: readonly RoutePoint[]): string {
  const step = width / series.length;
  const steps = series.map((point, index) => {
    const y = round(height - (Math.min(100, Math.max(0, point.share)) / 100) * height);
    return `L${round(index * step)} ${y}L${round((index + 1) * step)} ${y}`;
  });
  return `M0 ${height}${steps.join("")}L${width} ${height}Z`;
}

/** A line through the middle of each stretch; it breaks where nothing was measured. */
function path(line: Line, top: number): string {
  const step = width / line.length;
  let drawing = false;
  return line
    .map((value, index) => {
      if (value === null || top === 0) {
        drawing = false;
        return "";
      }
      const move = drawing ? "L" : "M";
      drawing = true;
      return `${move}${round((index + 0.5) * step)} ${round(height - (value / top) * (height - 6) - 3)}`;
    })
    .join("");
}

const round = (value: number): number => Math.round(value * 10) / 10;

/** p50, p90 and p99 of both sides as bars on one scale. */
export function latencyBars(route: RouteView): Markup {
  const { old, new: fresh } = route.sides;
  const longest = Math.max(old.p99 ?? 0, fresh.p99 ?? 0);
  if (longest === 0) return html``;
  const bar = (side: "old" | "new", value: number | null): Markup =>
    html`<div class="bar">
      <span class="dim">${side}</span>
      <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
        <rect class="${side}" width="${round(((value ?? 0) / longest) * 100)}" height="10" rx="1" />
      </svg>
      <span>${latency(value)}</span>
    </div>`;
  return html`<div class="bars">
    ${(["p50", "p90", "p99"] as const).map(
      (quantile) =>
        html`<div class="pair">
          <b>${quantile}</b>
          <div>${bar("old", old[quantile])}${bar("new", fresh[quantile])}</div>
        </div>`,
    )}
  </div>`;
}

/** How far the new side is: one bar with its percentage beside it. */
export function shareBar(share: number): Markup {
  return html`<div class="bar wide">
    <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
      <rect class="track" width="100" height="10" rx="1" />
      <rect class="new" width="${round(share)}" height="10" rx="1" />
    </svg>
    <span>${sharePercent(share)} on the new side</span>
  </div>`;
}
