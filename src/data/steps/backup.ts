import { randomBytes } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import {
  asError,
  CutoverError,
  hasCode,
  type Json,
  type JsonObject,
  markPlace,
  sha256,
} from "../../core/index.ts";
import type { Step, StepContext, StepKind, StepPlan, StepProblem } from "../../plan/index.ts";
import { backupData } from "../backup/backup.ts";
import { type BackupManifest, readManifest } from "../backup/format.ts";
import { tellFiles } from "../backup/folder.ts";
import { restoreJob } from "../backup/restore.ts";
import { keepProof, proofOf } from "../backup/proof.ts";
import { digestForm } from "../digest/digest.ts";
import { clearRows, holdsRows, notEmpty } from "./clear-rows.ts";
import { diskWords, openToLook, preview, previewWords, timeOf, warnings } from "./preview.ts";
import { bringBack } from "./restore.ts";
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
import { count, RowProgress, rowsText, sizeText } from "./step-progress.ts";
import { checkStore, openStore, schemeOf, storeName, type StoreRef, storeText } from "./store-ref.ts";

export interface BackupStepOptions extends DataStepPlacement {
  /** Folder for the backup: one that is not there yet, or an empty one. */
  readonly into: string;
  /** Default: all. */
  readonly collections?: readonly string[];
  /**
   * An empty store with the same tables that the backup is restored to for proof, and which is emptied again afterwards. LevelDB, LMDB
   * and folders of files need none: a scratch store is made beside the backup and removed.
   */
  readonly scratch?: StoreRef;
}

const known: Readonly<Record<Exclude<keyof BackupStepOptions, keyof DataStepPlacement>, true>> = {
  into: true,
  collections: true,
  scratch: true,
};

interface Setting {
  readonly store: StoreRef;
  readonly options: Partial<BackupStepOptions>;
}

/** Kept from before the first file on: whatever lies in the folder then is this step's. */
interface BackupSaved extends Saved {
  readonly dir: string;
  /** The scratch store was seen empty: rows in it are of an attempt that was cut off. */
  readonly proving?: boolean;
  /** It is empty again, and may be used by others: no row of it is touched any more. */
  readonly cleared?: boolean;
}

/**
 * A step that writes all rows of a store into a folder, with the digests of all leaves, and restores them to a scratch store: only
 * what came back and is equal counts as a backup. The scratch store is empty again in the end. The way back removes the folder.
 *
 * ```ts
 * backup("leveldb:data/old", { into: "backups/before" })
 * ```
 */
export function backup(store: StoreRef, stepOptions: BackupStepOptions): Step {
  const options = optionsOf<BackupStepOptions>(stepOptions);
  const setting = { store, options };
  return markPlace(
    {
      ...placement("backup", options),
      kind: backupKind(setting, stepOptions),
      input: given({
        store: storeName(store),
        into: options.into,
        collections: options.collections as Json | undefined,
        scratch: options.scratch === undefined ? undefined : storeName(options.scratch),
        estimate: options.estimate,
      }),
    } as Step,
    backup as (...args: never[]) => unknown,
  );
}

function backupKind(setting: Setting, stepOptions: unknown): StepKind {
  const { store, options } = setting;
  const words = `back up ${storeName(store)} → ${options.into}`;
  return {
    kind: "backup",
    reversible: true,
    timeoutMs: attemptLimitMs,
    validate: () => problems(setting, stepOptions),
    summary: () => words,
    plan: () => plan(setting, words),
    start: (context) => start(context, setting),
    verify: askSaved,
    rollback: (context) => rollback(context, setting),
    fingerprint: () =>
      [store, ...(options.scratch === undefined ? [] : [options.scratch])].map(storeText).join("\n"),
  };
}

/** Kinds of stores that are made by opening them, so that a scratch one needs nobody's help. */
const selfMade = ["leveldb", "lmdb", "files"];

function problems({ store, options }: Setting, stepOptions: unknown): readonly StepProblem[] {
  const found = new Problems();
  found.options(stepOptions, known);
  checkStore(found, "store", store);
  found.folder("into", options.into);
  found.names("collections", options.collections);
  if (options.scratch !== undefined) {
    checkStore(found, "scratch", options.scratch);
    if (found.list.length === 0 && storeName(options.scratch) === storeName(store))
      found.add("scratch", "another store than the one backed up", storeName(store), "name an empty store");
  } else if (found.list.length === 0 && !selfMade.includes(schemeOf(store) ?? ""))
    found.add(
      "scratch",
      "an empty store with the same tables",
      undefined,
      'a backup counts only when it was restored once: name a store for that, e.g. scratch: "sqlite:scratch.db"',
    );
  return found.list;
}

async function plan({ store, options }: Setting, words: string): Promise<StepPlan> {
  const { into = "", collections, estimate } = options;
  const own = estimate === undefined ? undefined : durationMs(estimate);
  const held = await entriesOf(into);
  const touches = [`folder ${into}${held > 0 ? " (HOLDS FILES, and is refused)" : ""}`];
  await using opened = await openToLook(store, collections);
  if (opened === undefined)
    return {
      summary: `${words} · the store is not there yet`,
      ...(own === undefined ? {} : { estimateMs: own }),
      touches,
    };
  const seen = await preview(opened.store, collections);
  // The backup, and the scratch store beside it.
  const disk = await diskWords(dirname(resolve(into)), (options.scratch === undefined ? 2 : 1) * seen.bytes);
  return {
    summary: `${words} · ${previewWords(seen)}, restored for proof`,
    // Written, read to be checked, restored, compared.
    estimateMs: own ?? timeOf(seen, 3),
    touches: [
      ...touches,
      ...(options.scratch === undefined
        ? []
        : [`rows of ${storeName(options.scratch)}, which are removed again`]),
      ...(disk === undefined ? [] : [disk]),
      ...warnings(seen),
    ],
  };
}

async function start(context: StepContext, { store, options }: Setting): Promise<Json> {
  const { into = "", collections, scratch } = options;
  const dir = resolve(into);
  let saved = savedOf<BackupSaved>(context);
  if (saved === undefined) {
    const held = await entriesOf(dir);
    if (held > 0) throw occupied(dir, held);
    // A long backup is not written for a scratch store that cannot take it.
    if (scratch !== undefined) await requireEmpty(context, store, scratch, collections);
    saved = await save<BackupSaved>(context, { dir });
  }
  // The folder has its name only when it is whole: one that is there was finished by an attempt before.
  const manifest = (await manifestOf(dir)) ?? (await write(context, store, dir, collections));
  let proof = await proofOf(dir);
  if (proof === undefined) {
    const ready = scratch === undefined ? saved : await emptyScratch(context, saved, scratch, manifest);
    proof = await prove(context, ready, manifest, store, scratch);
    saved = ready;
  }
  if (scratch !== undefined) saved = await clearScratch(context, saved, scratch, manifest);
  const rows = manifest.collections.reduce((sum, { digest }) => sum + digest.count, 0);
  const bytes = manifest.collections.reduce((sum, each) => sum + each.bytes, 0);
  const facts: JsonObject = {
    store: storeName(store),
    dir,
    rows,
    bytes,
    seed: manifest.seed,
    oneSnapshot: manifest.oneSnapshot,
    collections: manifest.collections.map(({ name, digest }) => ({ name, ...digestForm(digest) })),
    checksum: manifest.checksum,
    provenIn: proof.target,
  };
  await context.evidence(`backup of ${storeName(store)}`, facts);
  const parts = manifest.oneSnapshot ? "" : " · each table of a moment of its own";
  const note = `${rowsText(rows)} · ${sizeText(bytes)} · restored and equal${parts}`;
  return await finish(context, saved, { note, ...facts });
}

async function write(
  context: StepContext,
  store: StoreRef,
  dir: string,
  collections: readonly string[] | undefined,
): Promise<BackupManifest> {
  await using opened = await openStore(context, store, { collections });
  const all = await opened.store.collections();
  const meant = all.filter(({ name }) => collections?.includes(name) ?? true);
  const progress = new RowProgress(context);
  const total = meant.every(({ rows }) => rows !== undefined)
    ? meant.reduce((sum, { rows = 0 }) => sum + rows, 0)
    : undefined;
  progress.part("writes the backup", total);
  const made = await backupData({
    source: opened.store,
    dir,
    ...(collections === undefined ? {} : { collections }),
    clock: context.clock,
    random: (length) => new Uint8Array(randomBytes(length)),
    signal: context.signal,
    onRead: (rows, bytes) => progress.add(rows, bytes),
  });
  // Attempts for this folder that were killed: it has its name now, so none of them can be going on.
  for (const left of made.leftovers) await rm(left, { recursive: true, force: true });
  return made.manifest;
}

async function requireEmpty(
  context: StepContext,
  store: StoreRef,
  scratch: StoreRef,
  collections: readonly string[] | undefined,
): Promise<void> {
  await using there = await openToLook(scratch, collections);
  if (there === undefined) return;
  await using opened = await openStore(context, store, { collections });
  const names = collections ?? (await opened.store.collections()).map(({ name }) => name);
  const held = await holdsRows(there.store, names);
  if (held !== undefined) throw notEmpty(storeName(scratch), held);
}

async function emptyScratch(
  context: StepContext,
  saved: BackupSaved,
  scratch: StoreRef,
  manifest: BackupManifest,
): Promise<BackupSaved> {
  if (saved.proving === true) return saved;
  const names = manifest.collections.map(({ name }) => name);
  await using opened = await openStore(context, scratch, { create: true, collections: names });
  const held = await holdsRows(opened.store, names);
  if (held !== undefined) throw notEmpty(storeName(scratch), held);
  return await save<BackupSaved>(context, { ...saved, proving: true });
}

/** Removes the rows that were restored for proof, so that a run after this one can prove its backup there again. */
async function clearScratch(
  context: StepContext,
  saved: BackupSaved,
  scratch: StoreRef,
  { collections, checksum }: BackupManifest,
): Promise<BackupSaved> {
  if (saved.proving !== true || saved.cleared === true) return saved;
  const names = collections.map(({ name }) => name);
  await using opened = await openStore(context, scratch, { collections: names });
  const job = `scratch:${context.idempotencyKey}`;
  await clearRows(context, opened.store, { job, collections: names, map: undefined });
  for (const name of [job, restoreJob(checksum)]) await opened.store.forget(name);
  return await save<BackupSaved>(context, { ...saved, cleared: true });
}

async function prove(
  context: StepContext,
  { dir }: BackupSaved,
  manifest: BackupManifest,
  store: StoreRef,
  scratch: StoreRef | undefined,
): ReturnType<typeof keepProof> {
  const own = scratchOf(context, dir);
  if (scratch === undefined) await rm(own, { recursive: true, force: true });
  const names = manifest.collections.map(({ name }) => name);
  try {
    await using opened = await openStore(context, scratch ?? `${schemeOf(store)}:${join(own, "store")}`, {
      create: true,
      collections: names,
    });
    const restored = await bringBack(context, { dir, target: opened.store, names });
    const told = scratch === undefined ? `a scratch ${schemeOf(store)} store` : storeName(scratch);
    return await keepProof(dir, told, restored, context.clock);
  } finally {
    if (scratch === undefined) await rm(own, { recursive: true, force: true });
  }
}

/** Beside the backup, and the same for each attempt, so that what a killed one left is removed. */
const scratchOf = ({ idempotencyKey }: Pick<StepContext, "idempotencyKey">, dir: string): string =>
  `${dir}.scratch-${sha256(idempotencyKey).slice(0, 8)}`;

async function rollback(context: StepContext, { options: { scratch } }: Setting): Promise<void> {
  const saved = savedOf<BackupSaved>(context);
  if (saved === undefined) return;
  const { dir } = saved;
  if (scratch !== undefined) await abandonScratch(context, saved, scratch);
  await tellFiles(dir, async () => {
    await rm(dir, { recursive: true, force: true });
    await rm(scratchOf(context, dir), { recursive: true, force: true });
    // What a killed attempt left under a name of its own.
    const start = `${basename(dir)}.partial-`;
    for (const name of await readdir(dirname(dir)).catch((): string[] => []))
      if (name.startsWith(start)) await rm(join(dirname(dir), name), { recursive: true, force: true });
  });
}

/** The way back of a proof that was cut off. It does not fail for a scratch store that is out of reach: nobody's data is there. */
async function abandonScratch(context: StepContext, saved: BackupSaved, scratch: StoreRef): Promise<void> {
  try {
    const manifest = await manifestOf(saved.dir);
    if (manifest !== undefined) await clearScratch(context, saved, scratch, manifest);
  } catch (error) {
    if (context.signal.aborted || hasCode(error, "CUTOVER_LEASE_LOST")) throw error;
    context.log.warn(`${storeName(scratch)} keeps what was restored for proof: ${asError(error).message}`);
  }
}

async function manifestOf(dir: string): Promise<BackupManifest | undefined> {
  try {
    return await readManifest(dir);
  } catch (error) {
    if (hasCode(error, "CUTOVER_DATA_MISSING")) return undefined;
    throw error;
  }
}

/** How much lies there; a folder that is not there holds nothing. */
async function entriesOf(dir: string): Promise<number> {
  return await tellFiles(dir, async () => {
    try {
      return (await readdir(dir)).length;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
      throw error;
    }
  });
}

const occupied = (dir: string, held: number): CutoverError =>
  new CutoverError("CUTOVER_DATA_NOT_EMPTY", {
    message: `expected a place for a new folder, found ${count(held)} entries there`,
    place: dir,
    remedy: "name a folder that is not there yet: a backup never overwrites another one",
  });
