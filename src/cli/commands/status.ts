import { formatDuration } from "../../core/index.ts";
import { runFaces, type RunView } from "../../report/index.ts";
import { hasEnded, type RunRecord, type Store } from "../../store/index.ts";
import { chooseRun } from "../choose-run.ts";
import type { Command, CommandContext } from "../command.ts";
import { type Line, span } from "../draw/line.ts";
import { runTree } from "../draw/run-tree.ts";
import { unitBlock } from "../draw/unit-block.ts";
import { pad } from "../draw/text-width.ts";
import { namingStore } from "../presenter.ts";
import { carriedBy, findOwner, readStore, shownStore, viewRecorded } from "../reach-store.ts";
import { inStore } from "../store-place.ts";

export const command: Command = {
  usage: "status [RUN]",
  help: [
    "Without RUN: the unfinished run as a tree, how its units stand, and the last runs before it. Asks the process that carries the run when there is one, otherwise reads the record.",
  ],
  options: {},
  words: 1,
  async run(context) {
    const found = await look(context);
    if (context.json) context.terminal.json(found);
    else if (found.view === null) {
      context.terminal.line(`no run in ${shownStore(context)}`);
      context.terminal.line(`  next: npx ${inStore("cutover run", context)}`);
    } else show(context, namingStore(found.view, context), found.runs);
    return 0;
  },
};

interface Found {
  readonly owner: { readonly pid: number | null } | null;
  readonly runs: readonly RunRecord[];
  readonly view: RunView | null;
}

async function look(context: CommandContext): Promise<Found> {
  const typed = context.args.positionals[0];
  const choose = (runs: readonly RunRecord[]): RunRecord | undefined =>
    runs.length === 0 && typed === undefined ? undefined : chooseRun(runs, { typed, otherwise: "newest" });
  const owner = findOwner(context);
  if (owner !== undefined) {
    const runs = await owner.get<readonly RunRecord[]>("/v1/runs");
    const run = choose(runs);
    const view =
      run === undefined ? null : await owner.get<RunView>(`/v1/runs/${encodeURIComponent(run.id)}`);
    return { owner: { pid: owner.owner.pid }, runs, view };
  }
  const read = await readStore(context, async (store): Promise<Found> => {
    const runs = await store.runs.list();
    const run = choose(runs);
    const view = run === undefined ? null : await viewRecorded(context, store, run.id);
    return { owner: await carrierPid(context, store, view), runs, view };
  });
  if (read === undefined && typed !== undefined) chooseRun([], { typed, otherwise: "newest" });
  return read ?? { owner: null, runs: [], view: null };
}

/** In a shared store, the process that carries the run that is shown. */
async function carrierPid(
  context: CommandContext,
  store: Store,
  view: RunView | null,
): Promise<Found["owner"]> {
  if (context.shared === undefined || view === null) return null;
  const owner = await carriedBy(context, store, view.run.id);
  return owner === undefined ? null : { pid: Number(owner.split(":").at(-2)) || null };
}

function show({ terminal }: CommandContext, view: RunView, runs: Found["runs"]): void {
  const tree = runTree(view, { columns: terminal.columns(), rows: 10_000, keys: "", still: true });
  for (const line of tree) terminal.line(line);
  const units = unitBlock(view.units, terminal.columns());
  if (units.length > 0) for (const line of [[], ...units, []]) terminal.line(line);
  if (view.next.command !== "")
    terminal.line([span(`  next: ${view.next.text}  `, "dim"), span(`npx ${view.next.command}`, "bold")]);
  const others = runs.filter((run) => run.id !== view.run.id).slice(0, 5);
  if (others.length === 0) return;
  terminal.line("");
  for (const run of others) terminal.line(runLine(run));
}

function runLine(run: RunRecord): Line {
  const face = runFaces[run.state];
  const took = hasEnded(run.state) ? formatDuration(run.updatedAt - run.createdAt) : "";
  return [
    span(` ${face.mark}`, face.tone),
    span(` ${pad(run.id, 8)} ${pad(run.migration, 24)} ${pad(face.word, 14)} `),
    span(took, "dim"),
  ];
}
