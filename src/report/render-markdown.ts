import { answeredByNew, formatDuration, type JsonObject } from "../core/index.ts";
import type { ChainReport } from "../store/index.ts";
import { codeSpan, escapeMarkdown as text } from "./escape.ts";
import { change, count, latency, percent, perSecond, sharePercent, timestamp } from "./figures.ts";
import { incidentLines } from "./incident-sides.ts";
import type { PhaseView, RouteView, RunView, Sidecar, VerdictView } from "./run-view.ts";
import { unitSum, unitTable } from "./unit-table.ts";
import {
  actionWords,
  noOverrides,
  phaseFaces,
  runFaces,
  stepFaces,
  triggerState,
  verdictFaces,
} from "./words.ts";

/** What a report may say beyond the run itself. */
export interface ReportExtras {
  /** The walk over the hash chain, when it was made for this report. */
  readonly audit?: ChainReport;
}

/** The whole run as Markdown, made from the record alone. Nothing in the record is read as markup. */
export function renderMarkdown(view: RunView, extras: ReportExtras = {}): string {
  const { run } = view;
  const state = runFaces[run.state];
  return sections([
    `# ${text(run.title || run.migration)} · run ${text(run.id)}`,
    [
      `${state.mark} **${state.word}** after ${formatDuration(run.elapsedMs)}${run.reason === "" ? "" : ` — ${text(run.reason)}`}`,
      "",
      `- begun ${timestamp(run.createdAt)} by ${text(run.startedBy || "unknown")}`,
      `- ${run.endedAt === null ? `as of ${timestamp(run.at)}` : `ended ${timestamp(run.endedAt)}`}`,
      `- definition ${codeSpan(run.source)}, hash ${codeSpan(run.hash.slice(0, 16))}`,
      ...(extras.audit === undefined ? [] : [`- audit: ${text(auditLine(extras.audit))}`]),
    ].join("\n"),
    overrides(view),
    "## Phases",
    table(
      ["phase", "state", "time", "what came of it"],
      view.phases.map((phase) => [
        text(phase.name) + (phase.forwardOnly ? " ⚠ irreversible" : ""),
        `${phaseFaces[phase.state].mark} ${phaseFaces[phase.state].word}`,
        phase.elapsedMs === null ? "" : formatDuration(phase.elapsedMs),
        text(phase.headline),
      ]),
    ),
    ...unitDetail(view),
    ...view.phases.flatMap(phaseDetail),
    ...view.routes.flatMap(routeDetail),
    ...whole(view),
    ...(view.triggers.length === 0 ? [] : ["## Triggers", triggerTable(view)]),
    ...(view.approvals.length === 0 ? [] : ["## Approvals", approvalTable(view)]),
    ...view.incidents.flatMap((incident) => ["## " + incidentTitle(incident), incidentBody(incident)]),
    ...(view.aside.length + view.sidecars.length === 0 ? [] : ["## Set aside", renderAside(view)]),
    ...(view.notes.length === 0
      ? []
      : ["## Notes", view.notes.map((note) => `- ${text(note.text)}`).join("\n")]),
    view.next.command === "" ? "" : `Next: ${text(view.next.text)} ${codeSpan(view.next.command)}`,
  ]);
}

/** What was set aside, as a Markdown table, or a sentence when there is nothing; and what is kept beside its images. */
export function renderAside(view: RunView): string {
  return paragraphs([asideTable(view), view.sidecars.map((one) => `- ${text(sidecarLine(one))}`).join("\n")]);
}

function asideTable(view: RunView): string {
  if (view.aside.length === 0) return "Nothing was set aside.";
  return table(
    ["what", "why", "step", "known about it"],
    view.aside.map((item) => [
      codeSpan(item.id),
      text(item.reason),
      text(item.step),
      text(factLine(item.facts)),
    ]),
  );
}

/** One incident as Markdown, for the person who has to look into it. */
export function renderIncident(view: RunView, id: string): string | undefined {
  const incident = view.incidents.find((each) => each.id === id);
  if (incident === undefined) return undefined;
  return sections([`# ${incidentTitle(incident)}`, incidentBody(incident), overrides(view)]);
}

const incidentTitle = (incident: RunView["incidents"][number]): string =>
  `Incident ${text(incident.id)}: ${text(incident.summary)}`;

function incidentBody(incident: RunView["incidents"][number]): string {
  const closed =
    incident.closedAt === null
      ? "**still open**"
      : `closed ${timestamp(incident.closedAt)}, after ${formatDuration(incident.closedAt - incident.openedAt)}: ${text(incident.outcome ?? "")}`;
  return sections([
    [`- cause: ${text(incident.cause)}`, `- opened ${timestamp(incident.openedAt)}`, `- ${closed}`].join(
      "\n",
    ),
    [
      "What was seen:",
      ...incidentLines(incident.seen, incident.openedAt).map((line) => `- ${text(line)}`),
    ].join("\n"),
    jsonBlock(incident.seen),
    ...(incident.facts === null ? [] : ["What came of it:", jsonBlock(incident.facts)]),
  ]);
}

function overrides(view: RunView): string {
  if (view.overrides.length === 0) return `**Overrides:** ${noOverrides}`;
  return sections([
    `## ⚠ Overrides (${view.overrides.length})`,
    table(
      ["when", "what", "by", "reason"],
      view.overrides.map((each) => [timestamp(each.at), text(each.what), text(each.by), text(each.reason)]),
    ),
  ]);
}

/** Nothing of a single unit: the phases tell the same. */
function unitDetail({ units }: RunView): readonly string[] {
  if (units.length < 2) return [];
  const { head, rows } = unitTable(units);
  const escaped = rows.map((row) => row.map(text));
  return ["## Units", `${unitSum(units)}.`, table(head, escaped)];
}

function phaseDetail(phase: PhaseView): readonly string[] {
  if (phase.startedAt === null) return [];
  const parts = [`### ${text(phase.name)}`];
  if (phase.steps.length > 0) {
    parts.push(
      table(
        ["step", "kind", "state", "time", "result"],
        phase.steps.map((step) => [
          text(step.name),
          text(step.kind),
          `${stepFaces[step.state].mark} ${stepFaces[step.state].word}${step.attempt > 1 ? `, attempt ${step.attempt}` : ""}`,
          step.elapsedMs === null ? "" : formatDuration(step.elapsedMs),
          text(step.line),
        ]),
      ),
    );
    if (phase.hiddenSteps > 0) parts.push(`… and ${count(phase.hiddenSteps)} more steps, done or to come.`);
  }
  if (phase.verdicts.length > 0) parts.push(verdictTable(phase.verdicts));
  return parts;
}

function verdictTable(verdicts: readonly VerdictView[]): string {
  return table(
    ["judged", "role", "verdict", "figures", "evidence"],
    verdicts.map((verdict) => [
      text(verdict.gate),
      text(verdict.role),
      `${verdictFaces[verdict.verdict].mark} ${verdict.verdict}`,
      text(verdict.reason),
      verdict.evidence.map((id) => codeSpan(id.slice(0, 12))).join(" "),
    ]),
  );
}

function routeDetail(route: RouteView): readonly string[] {
  const { old, new: fresh } = route.sides;
  const compared = route.compared === 0 ? "nothing" : `${count(route.compared)} answers`;
  return [
    `## Route ${text(route.route)}`,
    `Stage **${route.state.stage}**, ${sharePercent(answeredByNew(route.state))} on the new side, epoch ${route.state.epoch}.`,
    table(
      ["", "old", "new", "change"],
      [
        ["calls", count(old.calls), count(fresh.calls), ""],
        ["errors", count(old.errors), count(fresh.errors), ""],
        ["error rate", percent(old.errorRate), percent(fresh.errorRate), ""],
        ["p50", latency(old.p50), latency(fresh.p50), change(old.p50, fresh.p50)],
        ["p90", latency(old.p90), latency(fresh.p90), change(old.p90, fresh.p90)],
        ["p99", latency(old.p99), latency(fresh.p99), change(old.p99, fresh.p99)],
        [
          "calls/s while alone",
          perSecond(route.alone.old),
          perSecond(route.alone.new),
          change(route.alone.old, route.alone.new),
        ],
      ],
    ),
    [
      `- compared ${compared}, ${count(route.mismatches)} differ`,
      `- shadow: ${count(route.shadow.calls)} calls, ${count(route.shadow.errors)} errors, ${count(route.shadow.timeouts)} timeouts, ${count(route.shadow.skipped)} skipped`,
      `- answered by the old side because the new one failed: ${count(route.failedOver)}`,
      ...(route.operations.length === 0
        ? []
        : [
            `- coverage: ${route.operations.map((each) => `${text(each.name)} ${count(each.compared)}`).join(", ")}`,
          ]),
    ].join("\n"),
    ...(route.changes.length === 0
      ? []
      : [
          table(
            ["when", "stage", "share", "by", "reason"],
            route.changes.map((each) => [
              timestamp(each.at),
              each.stage,
              sharePercent(answeredByNew(each)),
              text(each.by),
              text(each.reason),
            ]),
          ),
        ]),
    ...(route.samples.length === 0
      ? []
      : [
          "Kept differences:",
          table(
            ["key", "operation", "path", "old", "new"],
            route.samples
              .slice(0, 20)
              .flatMap((sample) =>
                sample.differences.map((each) => [
                  codeSpan(sample.key),
                  text(sample.operation),
                  codeSpan(each.path),
                  codeSpan(each.old),
                  codeSpan(each.new),
                ]),
              ),
          ),
        ]),
  ];
}

const whole = (view: RunView): readonly string[] =>
  view.success.length === 0 ? [] : ["## Success criteria", verdictTable(view.success)];

const triggerTable = (view: RunView): string =>
  table(
    ["trigger", "action", "state", "last seen"],
    view.triggers.map((trigger) => [
      text(trigger.name),
      text(actionWords(trigger.action)),
      text(triggerState(trigger)),
      text(trigger.last?.reason ?? trigger.firedFor ?? ""),
    ]),
  );

const approvalTable = (view: RunView): string =>
  table(
    ["when", "phase", "by", "reason", "evidence"],
    view.approvals.map((each) => [
      timestamp(each.at),
      text(each.phase),
      text(each.by) + (each.lapsed ? " (lapsed)" : ""),
      text(each.reason),
      codeSpan(each.evidence.slice(0, 12)),
    ]),
  );

/** `212 events, chain whole`, or where it breaks. */
export function auditLine(audit: ChainReport): string {
  if (audit.whole) return `${count(audit.events)} events, chain whole`;
  if (audit.row !== undefined) return `chain whole, rows edited: ${audit.reason} (event ${audit.brokenAt})`;
  return `chain broken at event ${audit.brokenAt}: ${audit.reason}`;
}

/** `lmdb:new keeps the old rows of 30 images: their way back is exact` */
export const sidecarLine = ({ store, rows }: Sidecar): string =>
  `${store} keeps the old ${rows === 1 ? "row of 1 image: its" : `rows of ${count(rows)} images: their`} way back is exact`;

export function factLine(facts: JsonObject): string {
  return Object.entries(facts)
    .map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}

function jsonBlock(value: JsonObject): string {
  const shown = JSON.stringify(value, null, 2);
  const fence = "`".repeat(Math.max(3, ...[...shown.matchAll(/`+/g)].map((run) => run[0].length + 1)));
  return `${fence}json\n${shown}\n${fence}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

const sections = (parts: readonly string[]): string => `${paragraphs(parts)}\n`;

const paragraphs = (parts: readonly string[]): string =>
  parts
    .filter((part) => part !== "")
    .join("\n\n")
    .trim();
