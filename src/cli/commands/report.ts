import { join, relative, resolve } from "node:path";
import { CutoverError } from "../../core/index.ts";
import { auditLine, plural, renderAside, renderIncident, type RunView } from "../../report/index.ts";
import type { ChainReport } from "../../store/index.ts";
import { chooseRun } from "../choose-run.ts";
import type { Command, CommandContext } from "../command.ts";
import { span } from "../draw/line.ts";
import { noRuns, readStore, viewRecorded } from "../reach-store.ts";
import { savePlan, writePlan } from "../write-plan.ts";
import { writeReports } from "../write-reports.ts";

export const command: Command = {
  usage: "report [RUN]",
  help: [
    "Writes Markdown and HTML, made from the record alone, and prints where they are. With --incident or --aside: prints that part instead, as Markdown.",
    "With --as plan: the written plan that the definition was made from, with the state of every item and the events that show it in place of what people ticked. What nothing shows is open. Printed, or written to --out FILE; refused when the plan was changed after it was imported.",
    "Overrides stand in every report.",
  ],
  options: {
    incident: { type: "string", value: "ID", help: "print one incident" },
    aside: { type: "boolean", help: "print what was set aside" },
    as: { type: "string", value: "plan", help: "write the plan back from the record" },
    plan: { type: "string", value: "FILE", help: "with --as plan: where the plan lies now" },
    out: {
      type: "string",
      value: "PATH",
      help: "folder for the files (default STORE/reports); with --as plan: the file",
    },
  },
  words: 1,
  async run(context) {
    if (wantsPlan(context)) return await plan(context);
    const found = await look(context);
    const incident = context.args.text("incident");
    if (incident !== undefined) printIncident(context, found.view, incident);
    else if (context.args.flag("aside")) printAside(context, found.view);
    else await write(context, found.view, found.audit);
    return 0;
  },
};

interface Found {
  readonly view: RunView;
  readonly audit: ChainReport;
}

/** The run that was named, else the one the incident belongs to, else the unfinished or newest one. */
async function look(context: CommandContext): Promise<Found> {
  const incident = context.args.text("incident");
  const typed = context.args.positionals[0];
  const found = await readStore(context, async (store): Promise<Found> => {
    const runs = await store.runs.list();
    const owning = typed ?? (await store.runs.incidents()).find((each) => each.id === incident)?.run;
    const run = chooseRun(runs, { typed: owning, otherwise: "newest" });
    const view = await viewRecorded(context, store, run.id);
    return { view, audit: await store.events.verify({ orders: false }) };
  });
  if (found === undefined) throw noRuns(context);
  return found;
}

function printIncident(context: CommandContext, view: RunView, id: string): void {
  const incident = view.incidents.find((each) => each.id === id);
  const text = renderIncident(view, id);
  if (incident === undefined || text === undefined) {
    const known = view.incidents.map((each) => each.id);
    throw new CutoverError("CUTOVER_RUN_NOT_FOUND", {
      message: `expected an incident of run ${view.run.id}, found ${JSON.stringify(id)}`,
      remedy: known.length === 0 ? "this run has no incidents" : `name one of: ${known.join(", ")}`,
    });
  }
  if (context.json) context.terminal.json(incident);
  else context.terminal.write(text);
}

function printAside(context: CommandContext, view: RunView): void {
  if (context.json) context.terminal.json(view.aside);
  else context.terminal.line(renderAside(view));
}

/** @throws CUTOVER_CLI_USAGE for another form than `plan`, and for options that would do nothing */
function wantsPlan(context: CommandContext): boolean {
  const form = context.args.text("as");
  const bad = (message: string, remedy: string): CutoverError =>
    new CutoverError("CUTOVER_CLI_USAGE", { message, remedy });
  if (form === undefined) {
    if (context.args.text("plan") === undefined) return false;
    throw bad("expected --plan only with --as plan", "add `--as plan`, or leave --plan out");
  }
  if (form !== "plan") throw bad(`expected --as plan, found ${JSON.stringify(form)}`, "write `--as plan`");
  if (context.args.text("incident") !== undefined || context.args.flag("aside"))
    throw bad("expected --as plan alone, found it with another part", "ask for one part at a time");
  return true;
}

async function plan(context: CommandContext): Promise<number> {
  const typed = context.args.positionals[0];
  const found = await readStore(context, async (store) => {
    const run = chooseRun(await store.runs.list(), { typed, otherwise: "newest" });
    const view = await viewRecorded(context, store, run.id);
    return { run: run.id, ...(await writePlan(context, store, view)) };
  });
  if (found === undefined) throw noRuns(context);
  const { text, ...facts } = found;
  const out = context.args.text("out");
  const file = out === undefined ? undefined : resolve(context.cwd, out);
  if (file !== undefined) await savePlan(file, found, context.pid);
  if (context.json) context.terminal.json(file === undefined ? found : { ...facts, file });
  else if (file === undefined) context.terminal.write(text);
  else {
    const near = relative(context.cwd, file);
    context.terminal.line(`  ${near.startsWith("..") ? file : near}`);
    const refuted = found.refuted === 0 ? "" : ` · ${plural(found.refuted, "claim")} not borne out`;
    context.terminal.line([
      span(`  ${found.shown} of ${plural(found.lines, "line")} shown by evidence${refuted}`, "dim"),
    ]);
  }
  return 0;
}

async function write(context: CommandContext, view: RunView, audit: ChainReport): Promise<void> {
  const out = context.args.text("out");
  const folder = out === undefined ? join(context.store, "reports") : resolve(context.cwd, out);
  const files = await writeReports(folder, view, { audit });
  if (context.json) {
    context.terminal.json({ run: view.run.id, files, audit, view });
    return;
  }
  for (const file of [files.markdown, files.html]) {
    const near = relative(context.cwd, file);
    context.terminal.line(`  ${near.startsWith("..") ? file : near}`);
  }
  context.terminal.line([span(`  audit: ${auditLine(audit)}`, audit.whole ? "dim" : "bad")]);
}
