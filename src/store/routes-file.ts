import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { faultPoint, type RouteState } from "../core/index.ts";

/** What `routes.json` holds: the state a door starts from when no owner answers. */
export interface RoutesFile {
  /** Wall-clock milliseconds. */
  readonly savedAt: number;
  readonly routes: readonly RouteState[];
}

/** Replaces a file so that a reader sees either the old or the new content, also after a power cut. */
export function replaceFile(path: string, content: string, beforeRename?: string): void {
  const draft = `${path}.new`;
  const file = openSync(draft, "w");
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  if (beforeRename !== undefined) faultPoint(beforeRename);
  renameSync(draft, path);
  const folder = openSync(dirname(path), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

export function writeRoutesFile(path: string, content: RoutesFile): void {
  replaceFile(path, `${JSON.stringify(content)}\n`, "store.routes-file.before-rename");
  faultPoint("store.routes-file.after-rename");
}
