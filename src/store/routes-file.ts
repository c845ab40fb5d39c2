import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { faultPoint, type RouteState } from "../core/index.ts";

/** What `routes.json` holds: the state a door starts from when no owner answers. */
export interface RoutesFile {
  /** Wall-clock milliseconds. */
  readonly savedAt: number;
  readonly routes: readonly RouteState[];
}

/**
 * Replaces a file so that a reader sees either the old or the new content. After a power cut it may be damaged: for
 * what only the running process means.
 */
export function swapFile(path: string, content: string): void {
  const draft = `${path}.new`;
  writeFileSync(draft, content);
  renameSync(draft, path);
}

/** Replaces a file so that a reader sees either the old or the new content, also after a power cut. */
function replaceFile(path: string, content: string, beforeRename: string): void {
  const draft = `${path}.new`;
  const file = openSync(draft, "w");
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  faultPoint(beforeRename);
  renameSync(draft, path);
  const folder = openSync(dirname(path), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** True when the file tells exactly these routes already: four waits for the disk less at a start. */
export function tellsRoutes(path: string, routes: readonly RouteState[]): boolean {
  try {
    const found = JSON.parse(readFileSync(path, "utf8")) as Partial<RoutesFile>;
    return JSON.stringify(found.routes) === JSON.stringify(routes);
  } catch {
    return false; // missing or damaged: written anew
  }
}

export function writeRoutesFile(path: string, content: RoutesFile): void {
  replaceFile(path, `${JSON.stringify(content)}\n`, "store.routes-file.before-rename");
  faultPoint("store.routes-file.after-rename");
}
