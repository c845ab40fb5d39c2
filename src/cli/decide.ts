import { CutoverError } from "../core/index.ts";
import { type RunView, runFaces } from "../report/index.ts";
import type { RunRecord } from "../store/index.ts";
import { chooseRun } from "./choose-run.ts";
import type { CommandContext, OptionSpec } from "./command.ts";
import { span } from "./draw/line.ts";
import { findOwner, noRuns, readStore } from "./reach-store.ts";

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

/**
 * Hands a decision to the process that carries the run; undefined when nobody carries it. Then `run` is the run
 * that was meant.
 */
export async function tellOwner(
  context: CommandContext,
  verb: "pause" | "continue" | "approve" | "rollback",
  decision: { readonly reason: string; readonly phase?: string; readonly evidence?: string },
): Promise<{ readonly run: RunRecord; readonly view: RunView | undefined }> {
  const choice = { typed: context.args.positionals[0], otherwise: "unfinished" } as const;
  const owner = findOwner(context);
  if (owner === undefined) {
    const runs = await readStore(context, (store) => store.runs.list());
    if (runs === undefined) throw noRuns(context);
    return { run: chooseRun(runs, choice), view: undefined };
  }
  const run = chooseRun(await owner.get<readonly RunRecord[]>("/v1/runs"), choice);
  const path = `/v1/runs/${encodeURIComponent(run.id)}/${verb}`;
  return { run, view: await owner.post<RunView>(path, { by: context.by, ...decision }) };
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
      span(`npx ${view.next.command}`, "bold"),
    ]);
  }
}
