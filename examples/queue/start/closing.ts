import { formatDuration } from "./duration.ts";
import type { LoadReport } from "../load/settings.ts";
import type { Account } from "./account.ts";
import type { StatusView } from "./cutover-command.ts";

/** The last lines: what went in and came out, old against new, time by phase. */
export function closingLines(account: Account, load: LoadReport, view: StatusView): string[] {
  const n = (value: number): string => value.toLocaleString("en");
  const row = (label: string, text: string): string => `  ${label.padEnd(14)}${text}`;
  const { old, new: fresh } = load.sides;
  const percent = (errors: number, answers: number): string =>
    answers === 0 ? "–" : `${((100 * errors) / (answers + errors)).toFixed(1)} %`;
  const statuses = Object.entries(account.byStatus).map(([status, count]) => `${n(count)} ${status}`);
  const alone = view.routes[0]?.alone;
  const lines = [
    row(
      "work orders",
      `${n(account.in)} in · ${n(account.finishedOnce)} finished once · ${account.lost.length} lost · ${account.twice.length} twice`,
    ),
    row("", `${statuses.join(" · ")} · ${account.aside.length} set aside`),
    row(
      "work done",
      `old ${n(account.done.old)}   new ${n(account.done.new)}   (from the ledger the work itself writes)`,
    ),
  ];
  // After a rollback the new side never was alone for long enough to say.
  if (view.run.state === "COMPLETED" && typeof alone?.old === "number" && typeof alone.new === "number")
    lines.push(row("throughput", `old ${Math.round(alone.old)}/s   new ${Math.round(alone.new)}/s`));
  if (old.answers > 0 && fresh.answers > 0)
    lines.push(
      row(
        "seen by load",
        `p50 ${ms(old.p50)} → ${ms(fresh.p50)}   p99 ${ms(old.p99)} → ${ms(fresh.p99)}   errors ${percent(old.errors, old.answers)} → ${percent(fresh.errors, fresh.answers)}`,
      ),
    );
  lines.push(row("back-pressure", `${n(load.heldBack)} answers 503, waited for and asked again`));
  lines.push(row("clients", `${load.failed} failed answers · ${load.wrong} wrong answers`));
  const phases = view.phases.filter(({ elapsedMs }) => elapsedMs !== null);
  lines.push(
    row(
      "phases",
      phases.map(({ name, elapsedMs }) => `${name} ${formatDuration(elapsedMs ?? 0)}`).join(" · "),
    ),
  );
  for (const id of account.lost.slice(0, 5)) lines.push(row("lost", id));
  for (const id of account.twice.slice(0, 5)) lines.push(row("twice", id));
  return lines;
}

const ms = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
