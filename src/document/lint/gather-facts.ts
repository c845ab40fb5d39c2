import { stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { CutoverError } from "../../core/index.ts";
import { type Scan, scanFolder } from "../against/scan-folder.ts";
import type { Inventory } from "../inventory.ts";
import { scriptsOf } from "./command-rules.ts";
import type { LintFacts } from "./facts.ts";

export interface GatherOptions {
  /** The document's text. */
  readonly source: string;
  /** Path of the document; null when it came through a pipe and stands in no folder. */
  readonly path: string | null;
  /** Folder with the real data or code to hold the plan against, as the user wrote it. */
  readonly against?: string;
  readonly cwd: string;
  /** Wall-clock milliseconds. */
  readonly now: number;
}

export interface Gathered {
  readonly facts: LintFacts;
  /** What was read of the folder; null without one. */
  readonly scan: Omit<Scan, "values"> | null;
}

/**
 * Looks at what the rules may know beyond the document: whether scripts are there, what values data and code hold, which
 * day it is. Reads only; runs nothing.
 * @throws CUTOVER_DOCUMENT_UNREADABLE when `against` is no folder that can be read
 */
export async function gatherFacts(inventory: Inventory, options: GatherOptions): Promise<Gathered> {
  const { source, path, against, cwd, now } = options;
  const today = new Date(now).toISOString().slice(0, 10);
  const folders = path === null ? [] : await projectFolders(dirname(resolve(cwd, path)));
  const scan =
    against === undefined ? undefined : await scanFolder(await folderOf(resolve(cwd, against), against));
  const searched = [...new Set([...(against === undefined ? [] : [resolve(cwd, against)]), ...folders])];
  const missing: string[] = [];
  if (searched.length > 0)
    for (const script of scriptsOf(inventory))
      if (!(await isAnywhere(script, searched))) missing.push(script);
  return {
    facts: {
      source,
      today,
      ...(searched.length === 0 ? {} : { scripts: { missing, searched } }),
      ...(scan === undefined ? {} : { values: scan.values.map((field) => under(field, against ?? "")) }),
    },
    scan: scan === undefined ? null : { files: scan.files, unread: scan.unread },
  };
}

type Field = Scan["values"][number];

/** Places as the user can open them: from where they stand, not from inside the folder. */
const under = (field: Field, folder: string): Field => ({
  ...field,
  values: field.values.map((value) => ({
    ...value,
    first: { ...value.first, file: join(folder, value.first.file) },
  })),
});

async function folderOf(path: string, written: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) return path;
  throw new CutoverError("CUTOVER_DOCUMENT_UNREADABLE", {
    message: `expected --against to name a folder with the real data or code, found ${found === undefined ? "nothing there" : "a file"}`,
    place: written,
    remedy: "give the folder that holds it",
  });
}

/** The document's folder and the root of its project: plans in `docs/` call scripts from the root. */
async function projectFolders(folder: string): Promise<readonly string[]> {
  for (let at = folder; ; at = dirname(at)) {
    for (const mark of [".git", "package.json", "Cargo.toml", "go.mod", "pyproject.toml", "pom.xml"])
      if ((await stat(join(at, mark)).catch(() => undefined)) !== undefined)
        return [...new Set([folder, at])];
    if (dirname(at) === at) return [folder];
  }
}

async function isAnywhere(script: string, folders: readonly string[]): Promise<boolean> {
  for (const folder of folders)
    if ((await stat(resolve(folder, script)).catch(() => undefined)) !== undefined) return true;
  return false;
}
