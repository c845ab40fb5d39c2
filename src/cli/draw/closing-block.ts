import { answeredByNew, formatDuration } from "../../core/index.ts";
import {
  auditLine,
  change,
  count,
  latency,
  perSecond,
  plural,
  type ReportExtras,
  type RunView,
  runFaces,
  sharePercent,
} from "../../report/index.ts";
import { type Line, span } from "./line.ts";
import { pad } from "./text-width.ts";

export interface ClosingFacts extends ReportExtras {
  /** Path of the HTML report; empty when none was written. */
  readonly report: string;
  /** What printed commands must add to mean the same store; see `StoreAddress`. */
  readonly storeFlag?: string;
}

/** The last lines of a run: what came of it, old against new, where to read on, what to do next. */
export function closingBlock(view: RunView, facts: ClosingFacts): readonly Line[] {
  const lines = view.run.state === "COMPLETED" ? finished(view) : stopped(view, facts.storeFlag ?? "");
  for (const route of view.routes) lines.push(...routeBlock(route, view.routes.length > 1));
  if (view.aside.length > 0) {
    lines.push(
      row(
        "set aside",
        `${count(view.aside.length)} → cutover report ${view.run.id} --aside${facts.storeFlag ?? ""}`,
      ),
    );
  }
  for (const override of view.overrides) {
    lines.push([
      span("  ⚠ override    ", "wait"),
      span(`${override.what} (${override.by}: ${override.reason})`),
    ]);
  }
  const audit = facts.audit === undefined ? "" : `audit: ${auditLine(facts.audit)}`;
  if (facts.report !== "")
    lines.push(row("report", facts.report), ...(audit === "" ? [] : [row("record", audit)]));
  if (view.run.state !== "COMPLETED" && view.next.command !== "") {
    lines.push([span(`  next: ${view.next.text}  `, "dim"), span(`npx ${view.next.command}`, "bold")]);
  }
  return lines;
}

const row = (label: string, text: string): Line => [span(`  ${pad(label, 14)}`, "dim"), span(text)];

function finished(view: RunView): Line[] {
  const shares = view.routes.map((route) => answeredByNew(route.state));
  const least = shares.length === 0 ? null : Math.min(...shares);
  return [
    [
      span("finished", "good"),
      span(` · ${formatDuration(view.run.elapsedMs)}`),
      ...(least === null ? [] : [span(` · ${sharePercent(least)} on the new side`)]),
    ],
  ];
}

function stopped(view: RunView, storeFlag: string): Line[] {
  const face = runFaces[view.run.state];
  const lines: Line[] = [
    [
      span(`${face.mark} ${face.word}`, face.tone),
      span(
        ` · ${formatDuration(view.run.elapsedMs)}${view.run.reason === "" ? "" : ` · ${view.run.reason}`}`,
      ),
    ],
  ];
  for (const incident of view.incidents) {
    const took =
      incident.closedAt === null
        ? "still open"
        : `back after ${formatDuration(incident.closedAt - incident.openedAt)}`;
    lines.push([span(`  incident ${incident.id}  `, "bad"), span(`${incident.summary} · ${took}`)]);
    lines.push([span(`  → npx cutover report ${view.run.id} --incident ${incident.id}${storeFlag}`, "dim")]);
  }
  return lines;
}

function routeBlock(route: RunView["routes"][number], named: boolean): readonly Line[] {
  const { old, new: fresh } = route.sides;
  const lines: Line[] = [];
  if (named) lines.push([span(`  ${route.route}`, "bold")]);
  if (route.alone.old !== null || route.alone.new !== null) {
    const grew = change(route.alone.old, route.alone.new);
    const figures = `old ${perSecond(route.alone.old)}   new ${perSecond(route.alone.new)}${grew === "" ? "" : `  (${grew})`}`;
    lines.push(row("throughput", figures));
  }
  if (old.calls > 0 && fresh.calls > 0) {
    lines.push(
      row(
        "latency",
        `p50 ${latency(old.p50)} → ${latency(fresh.p50)}   p99 ${latency(old.p99)} → ${latency(fresh.p99)}`,
      ),
    );
    lines.push(
      row(
        "errors",
        `old ${count(old.errors)} of ${count(old.calls)}   new ${count(fresh.errors)} of ${count(fresh.calls)}`,
      ),
    );
  }
  if (route.compared > 0)
    lines.push(row("mismatches", `${count(route.mismatches)} of ${count(route.compared)} compared`));
  if (route.failedOver > 0) {
    lines.push(
      row("saved", `${plural(route.failedOver, "answer")} came from the old side after the new one failed`),
    );
  }
  return lines;
}
