import { asError, CutoverError, type RouteState, visible } from "../core/index.ts";
import { withdrawRecorded } from "../engine/index.ts";
import type { Migration } from "../plan/index.ts";
import { sharePercent } from "../report/index.ts";
import { hasEnded, type RunRecord, type Store } from "../store/index.ts";
import type { CommandContext } from "./command.ts";
import { carrierOf } from "./reach-store.ts";
import { recordedMigration } from "./recorded-migration.ts";
import { inStore } from "./store-place.ts";

/**
 * The definition of a run that is to go back. Where it cannot be loaded, traffic goes back by the record alone before
 * the error is told: what is wrong with a file must not keep callers on the new side. A file that is named by hand and
 * cannot be loaded changes nothing.
 * @param reason of the person who asks; undefined for a run that rolls back already
 * @throws CUTOVER_ROLLBACK_WAITS with the cause, the routes that are back and those that are not
 */
export async function migrationToUndo(
  context: CommandContext,
  store: Store,
  run: RunRecord,
  reason: string | undefined,
): Promise<Migration> {
  try {
    return await recordedMigration(context, run);
  } catch (thrown) {
    if (context.args.text("file") !== undefined) throw thrown;
    throw await withdrawn(context, store, run, reason, asError(thrown));
  }
}

async function withdrawn(
  context: CommandContext,
  store: Store,
  run: RunRecord,
  reason: string | undefined,
  cause: Error,
): Promise<CutoverError> {
  // Not small, and needed here alone.
  const { routeSteps } = await import("../rollout/index.ts");
  const asked = reason === undefined ? undefined : { by: context.by, reason };
  const parts = { store, clock: context.clock, ...carrierOf(context) };
  const { back, left, waitsFor } = await withdrawRecorded(parts, run.id, asked, routeSteps);
  const state = (await store.runs.get(run.id))?.state ?? run.state;
  const place = cause instanceof CutoverError ? cause.place : undefined;
  const waiting = waitsFor === undefined ? "" : `, since step ${waitsFor} is to be undone first`;
  const traffic = [
    ...(back.length === 0 ? [] : [`back where this run found them: ${shown(back)}`]),
    ...(left.length === 0 ? [] : [`not back${waiting}: ${shown(left)}`]),
  ];
  const again = `npx ${inStore(`cutover rollback ${run.id} --reason "…"`, context)}`;
  const byHand = left.map(
    ({ route }) => `npx ${inStore(`cutover route ${route} --stage off --reason "…"`, context)}`,
  );
  return new CutoverError("CUTOVER_ROLLBACK_WAITS", {
    message:
      `expected the definition of run ${run.id} to undo its steps, found: ${cause.message}\n` +
      (traffic.length === 0 ? "no route had been moved" : traffic.join("\n")),
    ...(place === undefined ? {} : { place }),
    details: {
      run: run.id,
      state,
      cause: cause instanceof CutoverError ? cause.code : cause.name,
      back: back.map((route) => ({ ...route })),
      left: left.map((route) => ({ ...route })),
      waitsFor: waitsFor ?? null,
    },
    remedy:
      `mend the file, then: ${again}${hasEnded(state) ? "" : " (`--file FILE` when it has moved)"}` +
      (byHand.length === 0 ? "" : `; to move traffic by hand, without evidence: ${byHand.join(", ")}`),
    cause,
  });
}

const shown = (routes: readonly RouteState[]): string =>
  routes
    .map(
      ({ route, stage, share }) =>
        `${visible(route)} at ${stage}${stage === "live" ? ` ${sharePercent(share)}` : ""}`,
    )
    .join(", ");
