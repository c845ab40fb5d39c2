import { join, relative, resolve } from "node:path";
import { CutoverError } from "../../core/index.ts";
import { auditLine, renderAside, renderIncident, type RunView } from "../../report/index.ts";
import type { ChainReport } from "../../store/index.ts";
import { chooseRun } from "../choose-run.ts";
import type { Command, CommandContext } from "../command.ts";
import { span } from "../draw/line.ts";
import { noRuns, readStore, viewRecorded } from "../reach-store.ts";
import { writeReports } from "../write-reports.ts";

export const command: Command = {
  usage: "report [RUN]",
  help: [
    "Writes Markdown and HTML, made from the record alone, and prints where they are. With --incident or --aside: prints that part instead, as Markdown.",
    "Overrides stand in every report.",
  ],
  options: {
    incident: { type: "string", value: "ID", help: "print one incident" },
    aside: { type: "boolean", help: "print what was set aside" },
    out: { type: "string", value: "DIR", help: "folder for the files (default STORE/reports)" },
  },
  words: 1,
  async run(context) {
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
    return { view, audit: await store.events.verify() };
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
