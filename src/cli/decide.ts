import { CutoverError } from "../core/index.ts";
import { askDecision, type Decision, type RecordParts } from "../engine/index.ts";
import { type RunView, runFaces } from "../report/index.ts";
import type { RunRecord } from "../store/index.ts";
import { chooseRun } from "./choose-run.ts";
import type { CommandContext, OptionSpec } from "./command.ts";
import { span } from "./draw/line.ts";
import { awaitOwner, carrierOf, needRecord, ownStore, viewRecorded } from "./reach-store.ts";
import { inStore } from "./store-place.ts";

/** `--reason` of commands that a person answers for. */
export const reasonOption: Readonly<Record<string, OptionSpec>> = {
  reason: { type: "string", value: "TEXT", help: "why; recorded with your name" },
};

/** @throws CUTOVER_CLI_USAGE when no reason was given */
export function reasonOf(context: CommandContext, command: string): string {
  const reason = context.args.text("reason")?.trim();
  if (reason !== undefined && reason !== "") return reason;
  throw new CutoverError("CUTOVER_CLI_USAGE", {
    message: `expected a reason for ${command}, found none`,
    remedy: `say why: cutover ${command} … --reason "…"; it is recorded with your name`,
  });
}

export type Verb = Exclude<Decision["verb"], "rollback">;

/**
 * Hands a decision to the process that carries the run; when nobody does, `record` puts it into the record by the
 * engine's same rules, and whoever carries the run next acts on it. In a shared store the record is the way to the
 * process that carries the run. Resolves with the run as it stands then.
 */
export async function decide(
  context: CommandContext,
  typed: string | undefined,
  verb: Verb,
  body: Omit<Decision, "verb" | "by">,
  record: (parts: RecordParts, run: string, view: RunView) => Promise<unknown>,
): Promise<RunView> {
  const choice = { typed, otherwise: "unfinished" } as const;
  const owner = await awaitOwner(context);
  if (owner !== undefined) {
    const run = chooseRun(await owner.get<readonly RunRecord[]>("/v1/runs"), choice);
    const path = `/v1/runs/${encodeURIComponent(run.id)}/${verb}`;
    return owner.post<RunView>(path, { by: context.by, ...body });
  }
  await needRecord(context);
  return ownStore(context, async (store) => {
    const { id } = chooseRun(await store.runs.list(), choice);
    const view = (): Promise<RunView> => viewRecorded(context, store, id);
    const parts = { store, clock: context.clock, ...carrierOf(context) };
    if (context.shared === undefined) await record(parts, id, await view());
    else await askDecision(parts, id, { verb, by: context.by, ...body });
    return view();
  });
}

/** Says what a decision led to. */
export function sayState(context: CommandContext, view: RunView, done: string): void {
  if (context.json) {
    context.terminal.json(view);
    return;
  }
  const face = runFaces[view.run.state];
  context.terminal.line([span("✔ ", "good"), span(done), span(` · run ${view.run.id} is ${face.word}`)]);
  if (view.next.command !== "") {
    context.terminal.line([
      span(`  next: ${view.next.text}  `, "dim"),
      span(`npx ${inStore(view.next.command, context)}`, "bold"),
    ]);
  }
}
