import { answeredByNew, formatDuration } from "../core/index.ts";
import { change, count, latency, percent, perSecond, plural, sharePercent, timestamp } from "./figures.ts";
import { latencyBars, routeCharts, shareBar } from "./html-chart.ts";
import { style } from "./html-style.ts";
import { table } from "./html-table.ts";
import { html, Markup } from "./markup.ts";
import { auditLine, factLine, type ReportExtras, sidecarLine } from "./render-markdown.ts";
import { incidentLines } from "./incident-sides.ts";
import type { PhaseView, RouteView, RunView, UnitView, VerdictView } from "./run-view.ts";
import { unitSum, unitTable } from "./unit-table.ts";
import { loudUnits } from "./unit-view.ts";
import {
  actionWords,
  type Face,
  noOverrides,
  phaseFaces,
  runFaces,
  stepFaces,
  triggerState,
  unitFaces,
  verdictFaces,
} from "./words.ts";

/**
 * The whole run as one HTML file without scripts or outside references, made from the record alone. Reads on a
 * phone, in the dark and on paper; its policy forbids whatever a record might try to load.
 */
export function renderHtml(view: RunView, extras: ReportExtras = {}): string {
  const { run } = view;
  const title = run.title || run.migration;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <title>${title} · run ${run.id}</title>
        <style>
          ${new Markup(style)}
        </style>
      </head>
      <body>
        <main>
          ${header(view, title)} ${tiles(view)} ${overrides(view)} ${wanted(view)} ${units(view)}
          <h2>Phases</h2>
          ${view.phases.map((phase) => phaseCard(phase, view))} ${view.routes.map(routeSection)}
          ${
            view.success.length > 0 &&
            html`<h2>Success criteria</h2>
              ${verdictTable(view.success)}`
          }
          ${triggers(view)} ${approvals(view)} ${incidents(view)} ${aside(view)} ${notes(view)}
          <footer>
            ${view.next.command !== "" && html`<p>Next: ${view.next.text} <code>${view.next.command}</code></p>`}
            <p>
              Made from the record at ${timestamp(run.at)}.
              ${extras.audit !== undefined && html`Audit: ${auditLine(extras.audit)}.`} Definition
              <code>${run.source}</code>, hash <code>${run.hash.slice(0, 16)}</code>.
            </p>
          </footer>
        </main>
      </body>
    </html> `.text;
}

function header(view: RunView, title: string): Markup {
  const { run } = view;
  return html`<h1>${title} <span class="dim">· run ${run.id}</span></h1>
    <p>
      ${badge(runFaces[run.state])} after
      ${formatDuration(run.elapsedMs)}${run.reason !== "" && ` — ${run.reason}`}
    </p>
    <p class="dim">
      begun ${timestamp(run.createdAt)} by ${run.startedBy || "unknown"} ·
      ${run.endedAt === null ? `as of ${timestamp(run.at)}` : `ended ${timestamp(run.endedAt)}`}
    </p>`;
}

const badge = (face: Face): Markup => html`<span class="state ${face.tone}">${face.mark} ${face.word}</span>`;
const mark = (face: Face): Markup => html`<span class="${face.tone}">${face.mark}</span> ${face.word}`;

function tiles(view: RunView): Markup {
  const routes = view.routes;
  const sum = (pick: (route: RouteView) => number): number =>
    routes.reduce((all, route) => all + pick(route), 0);
  const sealed = view.phases.filter((phase) => phase.state === "SEALED").length;
  const moved = view.units.filter((unit) => unit.state === "moved").length;
  const measured = routes.length > 0;
  return html`<div class="tiles">
    ${tile(`${sealed} of ${view.phases.length}`, "phases sealed")}
    ${view.units.length > 1 && tile(`${count(moved)} of ${count(view.units.length)}`, "units moved")}
    ${measured && tile(count(sum((route) => route.sides.old.calls + route.sides.new.calls - route.failedOver)), "calls answered")}
    ${measured && tile(`${count(sum((route) => route.mismatches))} of ${count(sum((route) => route.compared))}`, "compared answers differ")}
    ${measured && tile(count(sum((route) => route.failedOver)), "saved by the old side")}
    ${tile(count(view.incidents.length), view.incidents.length === 1 ? "incident" : "incidents")}
    ${tile(count(view.overrides.length), view.overrides.length === 1 ? "override" : "overrides")}
    ${view.aside.length > 0 && tile(count(view.aside.length), "set aside")}
  </div>`;
}

const tile = (figure: string, label: string): Markup =>
  html`<div class="tile"><b>${figure}</b><span class="dim">${label}</span></div>`;

function overrides(view: RunView): Markup {
  if (view.overrides.length === 0) return html`<p class="dim">Overrides. ${noOverrides}</p>`;
  return html`<div class="card warn">
    <b>⚠ Overrides: moved by a person without evidence</b>
    ${table(
      ["when", "what", "by", "reason"],
      view.overrides.map((each) => [timestamp(each.at), each.what, each.by, each.reason]),
    )}
  </div>`;
}

const wanted = (view: RunView): Markup =>
  html`${view.wanted.map(
    (each) =>
      html`<div class="card warn">
        <b>${each.phase} waits for approval</b>
        <p>
          ${each.given.length} of ${each.needed} given${each.given.length > 0 && `: ${each.given.join(", ")}`}
        </p>
        <code>${each.command}</code>
      </div>`,
  )}`;

function phaseCard(phase: PhaseView, view: RunView): Markup {
  const face = phaseFaces[phase.state];
  const open = face.tone === "bad" || face.tone === "busy" || face.tone === "wait";
  return html`<details class="card phase" ${open && "open"}>
    <summary>
      <span class="${face.tone}" title="${face.word}">${face.mark}</span>
      <b>${phase.name}${phase.forwardOnly && " ⚠"}</b>
      <span class="dim">${phase.elapsedMs === null ? "" : formatDuration(phase.elapsedMs)}</span>
      <span>${phase.headline || face.word}</span>
    </summary>
    ${whenBar(phase, view)} ${phase.title !== "" && html`<p class="dim">${phase.title}</p>`}
    ${
      phase.steps.length > 0 &&
      table(
        ["step", "kind", "state", "time", "result"],
        phase.steps.map((step) => [
          step.name,
          step.kind,
          html`${mark(stepFaces[step.state])}${step.attempt > 1 && ` · attempt ${step.attempt}`}`,
          step.elapsedMs === null ? "" : formatDuration(step.elapsedMs),
          step.line,
        ]),
      )
    }
    ${phase.hiddenSteps > 0 && html`<p class="dim">… and ${count(phase.hiddenSteps)} more, done or to come</p>`}
    ${phase.verdicts.length > 0 && verdictTable(phase.verdicts)}
  </details>`;
}

/** More units than this are folded up, but for those that a person wants to see. */
const unitsShown = 12;

/** Nothing of a single unit: the phases tell the same. */
function units(view: RunView): Markup {
  if (view.units.length < 2) return html``;
  const loud = view.units.length <= unitsShown ? view.units : loudUnits(view.units);
  const rest = view.units.filter((unit) => !loud.includes(unit));
  return html`<h2>Units</h2>
    <p>${unitSum(view.units)}</p>
    ${loud.length > 0 && unitRows(loud)}
    ${
      rest.length > 0 &&
      html`<details>
        <summary>${plural(rest.length, "unit")} more</summary>
        ${unitRows(rest)}
      </details>`
    }`;
}

function unitRows(listed: readonly UnitView[]): Markup {
  const { head, rows } = unitTable(listed);
  const state = head.indexOf("state");
  return table(
    head,
    rows.map((cells, row) => {
      const unit = listed[row];
      return cells.map((cell, column) => (column === state && unit ? mark(unitFaces[unit.state]) : cell));
    }),
  );
}

/** Where in the run's time this phase lay. */
function whenBar(phase: PhaseView, { run }: RunView): Markup {
  if (phase.startedAt === null || run.elapsedMs === 0) return html``;
  const part = (ms: number): number =>
    Math.min(100, Math.max(0, Math.round((ms / run.elapsedMs) * 1_000) / 10));
  const length = Math.max(0.5, part(phase.elapsedMs ?? 0));
  return html`<svg class="when" viewBox="0 0 100 5" preserveAspectRatio="none" aria-hidden="true">
    <rect class="track" width="100" height="5" />
    <rect
      class="${phaseFaces[phase.state].tone}"
      x="${part(phase.startedAt - run.createdAt)}"
      width="${length}"
      height="5"
    />
  </svg>`;
}

function routeSection(route: RouteView): Markup {
  const { old, new: fresh } = route.sides;
  return html`<h2>${route.route}</h2>
    <p>Stage <b>${route.state.stage}</b>, epoch ${route.state.epoch}</p>
    ${shareBar(answeredByNew(route.state))}
    <p class="legend">
      <span><i style="background:var(--old)"></i>old</span
      ><span><i style="background:var(--new)"></i>new</span>
      <span><i style="background:var(--share)"></i>share of the new side</span>
    </p>
    ${routeCharts(route)} ${latencyBars(route)}
    ${table(
      ["", "old", "new", "change"],
      [
        ["calls", count(old.calls), count(fresh.calls), ""],
        ["errors", count(old.errors), count(fresh.errors), ""],
        ["error rate", percent(old.errorRate), percent(fresh.errorRate), ""],
        ["p50", latency(old.p50), latency(fresh.p50), change(old.p50, fresh.p50)],
        ["p99", latency(old.p99), latency(fresh.p99), change(old.p99, fresh.p99)],
        [
          "calls/s while alone",
          perSecond(route.alone.old),
          perSecond(route.alone.new),
          change(route.alone.old, route.alone.new),
        ],
      ],
    )}
    <p>
      ${count(route.compared)} answers compared, <b>${count(route.mismatches)} differ</b> ·
      ${count(route.failedOver)} answered by the old side because the new one failed · shadow:
      ${count(route.shadow.calls)} calls, ${count(route.shadow.errors)} errors,
      ${count(route.shadow.timeouts)} timeouts, ${count(route.shadow.skipped)} skipped
    </p>
    ${
      route.operations.length > 0 &&
      html`<p class="dim">
        coverage: ${route.operations.map((each) => `${each.name} ${count(each.compared)}`).join(" · ")}
      </p>`
    }
    ${
      route.changes.length > 0 &&
      html`<details>
        <summary>${count(route.changes.length)} changes of stage and share</summary>
        ${table(
          ["when", "stage", "share", "by", "reason"],
          route.changes.map((each) => [
            timestamp(each.at),
            each.stage,
            sharePercent(answeredByNew(each)),
            each.by,
            each.reason,
          ]),
        )}
      </details>`
    }
    ${
      route.samples.length > 0 &&
      html`<details>
        <summary>kept differences</summary>
        ${table(
          ["key", "operation", "path", "old", "new"],
          route.samples
            .slice(0, 50)
            .flatMap((sample) =>
              sample.differences.map((each) => [sample.key, sample.operation, each.path, each.old, each.new]),
            ),
        )}
      </details>`
    }`;
}

function verdictTable(verdicts: readonly VerdictView[]): Markup {
  return table(
    ["judged", "role", "verdict", "figures", "evidence"],
    verdicts.map((verdict) => [
      verdict.gate,
      verdict.role,
      mark(verdictFaces[verdict.verdict]),
      verdict.reason,
      html`<code>${verdict.evidence.map((id) => id.slice(0, 12)).join(" ")}</code>`,
    ]),
  );
}

function triggers(view: RunView): Markup {
  if (view.triggers.length === 0) return html``;
  return html`<h2>Triggers</h2>
    ${table(
      ["trigger", "action", "state", "last seen"],
      view.triggers.map((trigger) => [
        trigger.name,
        actionWords(trigger.action),
        trigger.firedAt !== null
          ? html`<span class="${trigger.recoveredAt === null ? "bad" : "wait"}">✖</span>
              ${triggerState(trigger)}`
          : trigger.armed
            ? html`<span class="busy">●</span> ${triggerState(trigger)}`
            : triggerState(trigger),
        trigger.last?.reason ?? trigger.firedFor ?? "",
      ]),
    )}`;
}

function approvals(view: RunView): Markup {
  if (view.approvals.length === 0) return html``;
  return html`<h2>Approvals</h2>
    ${table(
      ["when", "phase", "by", "reason", "evidence"],
      view.approvals.map((each) => [
        timestamp(each.at),
        each.phase,
        each.lapsed ? `${each.by} (lapsed)` : each.by,
        each.reason,
        html`<code>${each.evidence.slice(0, 12)}</code>`,
      ]),
    )}`;
}

const incidents = (view: RunView): Markup =>
  html`${view.incidents.map(
    (incident) =>
      html`<h2 id="${incident.id}">Incident ${incident.id}</h2>
        <div class="card">
          <p><b>${incident.summary}</b></p>
          <p class="dim">
            ${incident.cause} · opened ${timestamp(incident.openedAt)} ·
            ${
              incident.closedAt === null
                ? "still open"
                : `closed after ${formatDuration(incident.closedAt - incident.openedAt)}: ${incident.outcome ?? ""}`
            }
          </p>
          <ul>
            ${incidentLines(incident.seen, incident.openedAt).map((line) => html`<li>${line}</li>`)}
          </ul>
          <details>
            <summary>all that was seen</summary>
            <pre><code>${jsonLines(incident.seen)}</code></pre>
          </details>
          ${incident.facts !== null && html`<pre><code>${jsonLines(incident.facts)}</code></pre>`}
        </div>`,
  )}`;

/** Pretty JSON whose line breaks survive escaping. */
const jsonLines = (value: unknown): readonly Markup[] =>
  JSON.stringify(value, null, 2)
    .split("\n")
    .map((line) => html`${line}${new Markup("\n")}`);

function aside(view: RunView): Markup {
  if (view.aside.length + view.sidecars.length === 0) return html``;
  return html`<h2>Set aside</h2>
    ${
      view.aside.length > 0 &&
      table(
        ["what", "why", "step", "known about it"],
        view.aside.map((item) => [
          html`<code>${item.id}</code>`,
          item.reason,
          item.step,
          factLine(item.facts),
        ]),
      )
    }
    ${view.sidecars.map((one) => html`<p>${sidecarLine(one)}</p>`)}`;
}

const notes = (view: RunView): Markup =>
  html`${view.notes.length > 0 && html`<h2>Notes</h2>`}${view.notes.map((note) => html`<p>${note.text}</p>`)}`;
