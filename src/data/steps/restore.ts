import { randomBytes } from "node:crypto";
import { type Json, type JsonObject, hasCode, markPlace } from "../../core/index.ts";
import type { Step, StepContext, StepKind, StepPlan, StepProblem } from "../../plan/index.ts";
import { openBackup } from "../backup/backup-reader.ts";
import { checkBackup } from "../backup/check-backup.ts";
import { keepProof } from "../backup/proof.ts";
import { previewRestore } from "../backup/restore-preview.ts";
import { type Restored, restoreData, restoreJob } from "../backup/restore.ts";
import { digestForm } from "../digest/digest.ts";
import type { Target } from "../connector.ts";
import { clearRows, holdsRows, notEmpty } from "./clear-rows.ts";
import { diskWords, openToLook, preview, previewWords, timeOf } from "./preview.ts";
import { askSaved, finish, save, type Saved, savedOf } from "./saved.ts";
import {
  attemptLimitMs,
  type DataStepPlacement,
  durationMs,
  given,
  optionsOf,
  placement,
  Problems,
} from "./step-input.ts";
import { RowProgress, rowsText } from "./step-progress.ts";
import { checkStore, diskOf, openStore, storeName, type StoreRef, storeText } from "./store-ref.ts";

export interface RestoreStepOptions extends DataStepPlacement {
  /** Default: all of the backup. */
  readonly collections?: readonly string[];
  /**
   * The store becomes the backup: rows it holds are replaced or removed. That cannot be undone, so the step belongs in a
   * forward-only phase then; take a backup before. Default false: a store that holds rows is refused.
   */
  readonly replace?: boolean;
}

const known: Readonly<Record<Exclude<keyof RestoreStepOptions, keyof DataStepPlacement>, true>> = {
  collections: true,
  replace: true,
};

interface Setting {
  readonly from: string;
  readonly store: StoreRef;
  readonly options: Partial<RestoreStepOptions>;
}

interface RestoreSaved extends Saved {
  readonly names: readonly string[];
  /** Name under which the store keeps how far the restore is. */
  readonly job: string;
}

/**
 * A step that brings a backup back into a store, and proves it: the whole backup is checked before the store is opened, or made, and
 * both are compared afterwards. The way back empties the store, which was empty before.
 *
 * ```ts
 * restore("backups/before", "leveldb:data/again")
 * ```
 */
export function restore(from: string, store: StoreRef, stepOptions: RestoreStepOptions = {}): Step {
  const options = optionsOf<RestoreStepOptions>(stepOptions);
  const setting = { from, store, options };
  return markPlace(
    {
      ...placement("restore", options),
      kind: restoreKind(setting, stepOptions),
      input: given({
        from: typeof from === "string" ? from : undefined,
        store: storeName(store),
        collections: options.collections as Json | undefined,
        replace: options.replace,
        estimate: options.estimate,
      }),
    } as Step,
    restore as (...args: never[]) => unknown,
  );
}

function restoreKind(setting: Setting, stepOptions: unknown): StepKind {
  const { from, store, options } = setting;
  return {
    kind: "restore",
    reversible: options.replace !== true,
    timeoutMs: attemptLimitMs,
    validate: () => problems(setting, stepOptions),
    summary: () => `restore ${from} → ${storeName(store)}`,
    plan: () => plan(setting),
    start: (context) => start(context, setting),
    verify: askSaved,
    ...(options.replace === true ? {} : { rollback: (context) => rollback(context, setting) }),
    fingerprint: () => storeText(store),
  };
}

function problems({ from, store, options }: Setting, stepOptions: unknown): readonly StepProblem[] {
  const found = new Problems();
  found.options(stepOptions, known);
  found.folder("from", from);
  checkStore(found, "store", store);
  found.names("collections", options.collections);
  found.flag("replace", options.replace);
  return found.list;
}

async function plan({ from, store, options }: Setting): Promise<StepPlan> {
  const own = options.estimate === undefined ? undefined : durationMs(options.estimate);
  const words = `restore ${from} → ${storeName(store)}`;
  const touches = [
    `rows of ${storeName(store)}${options.replace === true ? ", which are replaced for good" : ""}`,
  ];
  try {
    await using backup = await openBackup(from);
    const seen = await preview(backup, options.collections);
    const names = options.collections ?? backup.manifest.collections.map(({ name }) => name);
    await using there = await openToLook(store, names);
    const held = there === undefined ? undefined : await holdsRows(there.store, names);
    const disk = await diskWords(diskOf(store), seen.bytes);
    return {
      summary: `${words} · ${previewWords(seen)}`,
      // Read to be checked, written, compared.
      estimateMs: own ?? timeOf(seen, 2),
      touches: [
        ...touches,
        ...(held === undefined || options.replace === true ? [] : ["HOLDS ROWS, and is refused"]),
        ...(disk === undefined ? [] : [disk]),
      ],
    };
  } catch (error) {
    if (!hasCode(error, "CUTOVER_DATA_MISSING")) throw error;
    return {
      summary: `${words} · the backup is not there yet`,
      ...(own === undefined ? {} : { estimateMs: own }),
      touches,
    };
  }
}

async function start(context: StepContext, { from, store, options }: Setting): Promise<Json> {
  const { names, job } = await contentsOf(from, options.collections);
  await check(context, { from, store, options }, names);
  await using opened = await openStore(context, store, { create: true, collections: names });
  let saved = savedOf<RestoreSaved>(context);
  if (saved === undefined) {
    const held = options.replace === true ? undefined : await holdsRows(opened.store, names);
    if (held !== undefined) throw notEmpty(storeName(store), held);
    // What an earlier run wrote is not there any more, or is replaced: this one begins with the first row.
    await opened.store.forget(job);
    saved = await save<RestoreSaved>(context, { names, job });
  }
  const restored = await bringBack(context, { dir: from, target: opened.store, names, checked: true });
  // A backup of which everything came back counts from now on.
  if (options.collections === undefined) await keepProof(from, storeName(store), restored, context.clock);
  const { rows, removed, resumedLeaves, verification } = restored;
  const facts: JsonObject = {
    from,
    store: storeName(store),
    rows,
    removed,
    resumedLeaves,
    seed: verification.seed,
    digest: { ...digestForm(verification.target) },
  };
  await context.evidence(`restore of ${from}`, facts);
  const note = `${rowsText(verification.target.count)} restored and equal to the backup`;
  return await finish(context, saved, { note, ...facts });
}

/** Before the store is opened, which would make it: a damaged backup, or one that does not fit, leaves nothing behind. */
async function check(
  context: StepContext,
  { from, store, options }: Setting,
  names: readonly string[],
): Promise<void> {
  const { signal } = context;
  const progress = new RowProgress(context);
  const onRead = (rows: number, bytes: number): void => progress.add(rows, bytes);
  progress.part("checks the backup", await rowsIn(from, names));
  const work = { dir: from, collections: names, signal, onRead };
  // Once rows of this step lie there, and of a store that no address names, only the backup can be looked at.
  if (typeof store !== "string" || savedOf<RestoreSaved>(context) !== undefined) await checkBackup(work);
  else await previewRestore({ ...work, to: store, replace: options.replace === true });
}

async function contentsOf(
  dir: string,
  wanted: readonly string[] | undefined,
): Promise<Pick<RestoreSaved, "names" | "job">> {
  await using backup = await openBackup(dir);
  const { collections, checksum } = backup.manifest;
  return { names: wanted ?? collections.map(({ name }) => name), job: restoreJob(checksum) };
}

/**
 * Restores into a store that was seen empty when the step began, or is to be replaced: what lies there now is of an attempt
 * that was cut off.
 */
export async function bringBack(
  context: StepContext,
  to: {
    readonly dir: string;
    readonly target: Target;
    readonly names: readonly string[];
    readonly checked?: boolean;
  },
): Promise<Restored> {
  const { dir, target, names, checked = false } = to;
  const total = await rowsIn(dir, names);
  const progress = new RowProgress(context);
  const words = { check: "checks the backup", restore: "restores", compare: "compares" };
  let last = "";
  return await restoreData({
    dir,
    target,
    collections: names,
    replace: true,
    checked,
    fence: context.fence,
    clock: context.clock,
    random: (length) => new Uint8Array(randomBytes(length)),
    signal: context.signal,
    onRead: (rows, bytes, doing) => {
      if (doing !== last) progress.part(words[doing], doing === "compare" ? 2 * total : total);
      last = doing;
      progress.add(rows, bytes);
    },
  });
}

async function rowsIn(dir: string, names: readonly string[]): Promise<number> {
  await using backup = await openBackup(dir);
  return backup.manifest.collections
    .filter(({ name }) => names.includes(name))
    .reduce((sum, { digest }) => sum + digest.count, 0);
}

async function rollback(context: StepContext, { store }: Setting): Promise<void> {
  const saved = savedOf<RestoreSaved>(context);
  if (saved === undefined) return;
  const opened = await openStore(context, store, { collections: saved.names }).catch((error: unknown) => {
    if (hasCode(error, "CUTOVER_DATA_MISSING")) return undefined;
    throw error;
  });
  if (opened === undefined) return;
  await using _ = opened;
  const { job, names } = saved;
  const removed = await clearRows(context, opened.store, { job, collections: names, map: undefined });
  await opened.store.forget(job);
  await context.evidence(`way back of ${context.step}`, { removed });
}
