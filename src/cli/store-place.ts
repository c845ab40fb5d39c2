import { resolve } from "node:path";
import { CutoverError, postgresAddressProblem, sqliteAddressProblem } from "../core/index.ts";

/** A store that many processes share without owning it: a PostgreSQL server, or one SQLite file. */
export interface SharedStore {
  /** As the store room opens it: `postgres://…` or `sqlite:/absolute/path`. May hold a password. */
  readonly url: string;
  /** The same for people: no password. */
  readonly shown: string;
}

/** Where `--store` or `CUTOVER_STORE` points. */
export interface StoreAddress {
  /** Folder of the store; beside a shared one the folder for reports and working files. Absolute. */
  readonly store: string;
  readonly shared: SharedStore | undefined;
  /** What a printed command must say to mean the same store: ` --store DIR`, or nothing for the default. */
  readonly storeFlag: string;
}

const usualFolder = ".cutover";

/**
 * Reads the address of a store: a folder, `sqlite:FILE`, `postgres://…` or `postgresql://…`.
 * @param typed what stands after `--store`; undefined when it was not given
 * @param fromEnvironment `CUTOVER_STORE`: printed commands need not repeat it
 * @throws CUTOVER_CLI_USAGE for an address of another kind
 */
export function storeAddress(
  typed: string | undefined,
  fromEnvironment: string | undefined,
  cwd: string,
): StoreAddress {
  const text = typed ?? (fromEnvironment === "" ? undefined : fromEnvironment) ?? usualFolder;
  const shared = sharedStore(text, cwd);
  const store = resolve(cwd, shared === undefined ? text : usualFolder);
  const meant = shared?.shown ?? text;
  // With the variable set, even the usual folder has to be named.
  const usual = shared === undefined && store === resolve(cwd, usualFolder) && !fromEnvironment;
  const storeFlag = typed === undefined || usual ? "" : ` --store ${shellWord(meant)}`;
  return { store, shared, storeFlag };
}

function sharedStore(text: string, cwd: string): SharedStore | undefined {
  const file = /^sqlite:(.*)$/s.exec(text)?.[1];
  if (file !== undefined) {
    if (file === "" || file === ":memory:")
      throw notAStore(
        text,
        "name its file: --store sqlite:work.db (a queue in memory has no second process)",
      );
    const problem = sqliteAddressProblem(file);
    if (problem !== undefined) throw notAStore("sqlite:…", problem.remedy);
    return { url: `sqlite:${resolve(cwd, file)}`, shown: text };
  }
  if (/^postgres(ql)?:/.test(text)) {
    const problem = postgresAddressProblem(text, ["schema"]);
    if (problem !== undefined) throw new CutoverError("CUTOVER_CLI_USAGE", problem);
    return { url: text, shown: withoutPassword(text) };
  }
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(text))
    throw notAStore(`${text.slice(0, text.indexOf(":"))}://…`, "use a folder, sqlite:FILE or postgres://…");
  if (/^[^/\\]+:.*@/s.test(text))
    throw notAStore("…@…", "begin an address with postgres://, and a folder of such a name with ./");
  return undefined;
}

/** `postgres://user@host:5432/db?schema=x`: whatever is secret in it is left out. */
export function withoutPassword(text: string): string {
  const url = new URL(text);
  url.password = "";
  for (const name of Array.from(url.searchParams.keys()))
    if (/pass|secret|token|key/i.test(name)) url.searchParams.delete(name);
  return url.href;
}

/** Adds the store to a command that a person may copy: `cutover resume r1` → `cutover resume r1 --store other`. */
export const inStore = (command: string, { storeFlag }: Pick<StoreAddress, "storeFlag">): string =>
  command === "" ? "" : `${command}${storeFlag}`;

/** A word of a command that a person copies: ids, names and paths may hold blanks and whatever a shell acts on. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;

const notAStore = (found: string, remedy: string): CutoverError =>
  new CutoverError("CUTOVER_CLI_USAGE", {
    message: `expected the address of a store for --store, found ${JSON.stringify(found)}`,
    remedy,
  });
