import { CutoverError } from "../../core/index.ts";
import type { BackupReader, DataStore, Reader } from "../../data/index.ts";
import type { CommandContext, OptionSpec } from "../command.ts";
import { shellWord } from "../store-place.ts";

/** Opens what can only be read: a store, or a backup by `backup:DIR`. `names` as of `openNamed`. */
export async function openReader(address: string, names?: readonly string[]): Promise<Reader> {
  const { openBackup } = await import("../../data/index.ts");
  const dir = backupFolder(address);
  return dir === undefined ? openNamed(address, names) : openBackup(dir);
}

/**
 * Opens a store of which these collections are asked for. A LevelDB does not list its sublevels: they are there when they are named, and
 * otherwise their keys are among all the others.
 */
export function openNamed(address: string, names: readonly string[] | undefined): Promise<DataStore> {
  return openStore(address, names === undefined || !isLevel(address) ? {} : { collections: names });
}

/**
 * Refuses a sublevel that holds nothing as what is to be copied, backed up or compared with: it cannot be told from one whose name is misspelt.
 * @throws CUTOVER_DATA_COLLECTION
 */
export async function requireSublevels(
  address: string,
  store: Reader,
  names: readonly string[],
): Promise<void> {
  if (!isLevel(address)) return;
  for (const collection of names) {
    if (collection === "" || (await holdsRows(store, collection))) continue;
    throw new CutoverError("CUTOVER_DATA_COLLECTION", {
      message: `expected rows in sublevel "${collection}" of ${store.name}, found none: there is no such sublevel, or it is empty`,
      place: store.name,
      details: { collection },
      remedy: "correct its name, or leave --collection away for all keys",
    });
  }
}

async function holdsRows(store: Reader, collection: string): Promise<boolean> {
  for await (const rows of store.scan({ collection })) if (rows.length > 0) return true;
  return false;
}

const isLevel = (address: string): boolean => address.startsWith("leveldb:");

/** Two sides of a comparison, with `young` to be written to or not. */
export async function openSides<Young extends Reader>(
  [old, young]: readonly [string, string],
  asked: { readonly collections?: readonly string[]; readonly targets?: readonly string[] },
  open: (address: string, names: readonly string[] | undefined) => Promise<Young>,
): Promise<AsyncDisposable & { readonly source: Reader; readonly target: Young }> {
  const { collections, targets = collections } = asked;
  await using opened = new AsyncDisposableStack();
  // Sublevels of a LevelDB are those parts that the other side has, where nobody named any.
  const partsOf = async (side: Reader, names: readonly string[] | undefined): Promise<readonly string[]> =>
    names ?? [...new Set(["", ...(await side.collections()).map(({ name }) => name)])];
  if (isLevel(old) && !isLevel(young)) {
    const target = opened.use(await open(young, targets));
    const source = opened.use(await openReader(old, await partsOf(target, collections)));
    return kept(opened, source, target);
  }
  const source = opened.use(await openReader(old, collections));
  const parts = isLevel(young) && !isLevel(old) ? await partsOf(source, targets) : targets;
  const target = opened.use(await open(young, parts));
  return kept(opened, source, target);
}

function kept<Young extends Reader>(
  opened: AsyncDisposableStack,
  source: Reader,
  target: Young,
): AsyncDisposable & { readonly source: Reader; readonly target: Young } {
  const both = opened.move();
  return { source, target, [Symbol.asyncDispose]: () => both.disposeAsync() };
}

export async function openBackupFolder(dir: string): Promise<BackupReader> {
  const { openBackup } = await import("../../data/index.ts");
  return openBackup(backupFolder(dir) ?? dir);
}

/** @throws CUTOVER_DATA_ADDRESS also for a backup, which nothing can be written to */
export async function openStore(
  address: string,
  options: { readonly create?: boolean; readonly collections?: readonly string[] } = {},
): Promise<DataStore> {
  if (backupFolder(address) !== undefined)
    throw new CutoverError("CUTOVER_DATA_ADDRESS", {
      message: "expected a store that can be written to, found a backup",
      remedy: "bring a backup back with `cutover data restore DIR ADDRESS`",
    });
  const { openDataStore } = await import("../../data/index.ts");
  return openDataStore(address, options);
}

/**
 * Opens a store that rows are written to, made where it is not there. `names`: the collections they go to, `""` where the old store has
 * none. Tables have to be there, so that a new file that is to have some is refused, and not made.
 */
export function openTarget(address: string, names: readonly string[]): Promise<DataStore> {
  return openStore(address, { create: true, collections: names });
}

/**
 * The folder of a backup, by its path or as `backup:DIR`. An address of a store would be taken for a path, and a folder of that name made.
 * @throws CUTOVER_DATA_ADDRESS
 */
export function folderOf(word: string): string {
  const folder = backupFolder(word) ?? word;
  const kind = /^[a-z]{2,}:/i.exec(folder)?.[0];
  if (kind === undefined && folder !== "") return folder;
  throw new CutoverError("CUTOVER_DATA_ADDRESS", {
    message: `expected the folder of a backup, found ${folder === "" ? `"${word}"` : `"${kind}", as an address of a store begins`}`,
    remedy: "name a folder; to bring rows from one store into another take `cutover data copy`",
  });
}

const backupFolder = (address: string): string | undefined =>
  address.startsWith("backup:") ? address.slice("backup:".length) : undefined;

/**
 * An address as it may be shown: without a password. What `pg` takes for a user and password may hold an @ of its own, so
 * all is left out up to the last one; as a parameter a password may stand behind the database too.
 */
export const shownAddress = (address: string): string =>
  /^postgres(ql)?:/.test(address)
    ? address.replace(/:\/\/.*@/, "://…@").replaceAll(/([?&](?:user|password)=)[^&]*/gi, "$1…")
    : address;

/** The same as a word of a command that a person copies. What was left out of it has to be put in again. */
export const shownWord = (address: string): string => shellWord(shownAddress(address));

export const collectionOption: Readonly<Record<string, OptionSpec>> = {
  collection: { type: "string", value: "NAME,…", help: "only these tables or parts (default all)" },
};

export function collectionsOf({ args }: CommandContext): { readonly collections?: readonly string[] } {
  const text = args.text("collection");
  return text === undefined ? {} : { collections: text.split(",").map((name) => name.trim()) };
}

/** The words of a command, each named when it is missing. @throws CUTOVER_CLI_USAGE */
export function wordsOf(
  { args }: CommandContext,
  usage: string,
  names: readonly string[],
): readonly string[] {
  const missing = names[args.positionals.length];
  if (missing === undefined) return args.positionals;
  throw new CutoverError("CUTOVER_CLI_USAGE", {
    message: `expected ${missing}, found nothing`,
    remedy: `usage: cutover ${usage}`,
  });
}
