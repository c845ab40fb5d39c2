import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { asError, CutoverError } from "../../core/index.ts";
import type { FoundValues } from "../lint/facts.ts";
import { addCode, codeFiles } from "./code-values.ts";
import { Collected } from "./collect.ts";
import { addData, dataFiles } from "./data-values.ts";
import { addDatabase } from "./sqlite-values.ts";

/** What was found under a folder, and what could not be read there. Paths are relative to the folder, with `/`. */
export interface Scan {
  readonly values: readonly FoundValues[];
  readonly files: number;
  readonly unread: readonly { readonly file: string; readonly reason: string }[];
}

const largestFile = 64 * 1024 * 1024;
const mostFiles = 50_000;
const passed = new Set([
  ".git",
  ".hg",
  ".svn",
  "node_modules",
  ".cutover",
  ".venv",
  "venv",
  "__pycache__",
  "target",
  "dist",
  ".next",
]);
const databases = new Set(["db", "sqlite", "sqlite3"]);

/**
 * Reads the values of fields in data (JSON, JSON lines, CSV, YAML, SQLite) and of enumerations in code (TypeScript, JavaScript,
 * Python, Go, Rust, C, C++, Java, C#, SQL and more) below a folder. Nothing is run or changed, links are not followed.
 * A damaged file is passed over and named in `unread`.
 *
 * @throws CUTOVER_DOCUMENT_UNREADABLE when `folder` is none, or holds more than 50,000 files
 */
export async function scanFolder(folder: string): Promise<Scan> {
  const collected = new Collected();
  const unread: { file: string; reason: string }[] = [];
  const files = await filesBelow(folder);
  let read = 0;
  for (const file of files) {
    const ending = /\.([^./]+)$/.exec(file)?.[1]?.toLowerCase() ?? "";
    const path = join(folder, file);
    if (!dataFiles.has(ending) && !codeFiles.has(ending) && !databases.has(ending)) continue;
    try {
      const { size } = await stat(path);
      if (size > largestFile && !databases.has(ending))
        throw new RangeError(`larger than ${largestFile / 1_048_576} MiB`);
      if (databases.has(ending)) await readDatabase(collected, file, path);
      else {
        const text = await readFile(path, "utf8");
        if (dataFiles.has(ending)) addData(collected, file, text);
        else addCode(collected, file, text);
      }
      read++;
    } catch (error) {
      unread.push({ file, reason: asError(error).message.split("\n")[0] ?? "" });
    }
  }
  return { values: collected.found(), files: read, unread };
}

async function readDatabase(collected: Collected, file: string, path: string): Promise<void> {
  const wal = await stat(`${path}-wal`).catch(() => undefined);
  if (wal !== undefined && wal.size > 0)
    throw new RangeError("its newest changes stand in a write-ahead log: checkpoint it, or point at a copy");
  await addDatabase(collected, file, path);
}

/** Files below, in the order of their paths. */
async function filesBelow(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  const waiting = [""];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const entries = await readdir(join(folder, at), { withFileTypes: true }).catch((error: unknown) => {
      if (at !== "") return [];
      throw new CutoverError("CUTOVER_DOCUMENT_UNREADABLE", {
        message: `expected a folder that can be read, found ${asError(error).message}`,
        place: folder,
        remedy: "give the folder that holds the real data or code",
        cause: error,
      });
    });
    for (const entry of entries) {
      const path = at === "" ? entry.name : `${at}/${entry.name}`;
      if (entry.isDirectory() && !passed.has(entry.name)) waiting.push(path);
      else if (entry.isFile()) found.push(path);
    }
    if (found.length > mostFiles)
      throw new CutoverError("CUTOVER_DOCUMENT_UNREADABLE", {
        message: `expected at most ${mostFiles.toLocaleString("en")} files, found more`,
        place: folder,
        remedy: "point at the folder with the data or code of the thing that is moved",
      });
  }
  return found.toSorted();
}
