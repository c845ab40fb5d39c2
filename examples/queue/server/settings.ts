import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** How the new side turns bad once it answers half of the keys. */
export const faults = ["errors", "slow", "crash", "hang", "wrong-answers"] as const;
export type Fault = (typeof faults)[number];

/** What the server was started with; kept in the work folder so that it can be started again the same way. */
export interface ServerSettings {
  /** 0 takes a free port the first time; the port found is kept. */
  readonly port: number;
  /** Folder of the Cutover store whose stages it follows. */
  readonly store: string;
  readonly fault: Fault | null;
  /** It ends by itself after so many milliseconds, so that nothing stays behind for ever. */
  readonly lifeMs: number;
}

/** Written by the server once it listens. */
export interface ServerRecord {
  readonly pid: number;
  readonly port: number;
  readonly startedAt: number;
}

/** Files and folders of the work folder. */
const names = {
  old: "old",
  archive: "archive",
  newQueue: "new",
  ledger: "ledger.ndjson",
  accepted: "accepted.ndjson",
  serverSettings: "server-settings.json",
  server: "server.json",
  /** Ids that were damaged in the data before anything began. */
  damaged: "damaged.json",
  loadSettings: "load-settings.json",
  load: "load.json",
  serverLog: "server.log",
  loadLog: "load.log",
} as const;

export type Places = Readonly<Record<keyof typeof names, string>>;

/** Their paths. */
export const places = (workDir: string): Places =>
  Object.fromEntries(Object.entries(names).map(([name, path]) => [name, join(workDir, path)])) as Places;

/** A JSON file of the work folder, or undefined when it is not there (yet) or half written. */
export function readRecord<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T;
  } catch {
    return undefined;
  }
}

/** Replaces a JSON file at once: readers see the old or the new one. */
export function writeRecord(path: string, value: unknown): void {
  writeFileSync(`${path}.${process.pid}`, `${JSON.stringify(value, null, 2)}\n`);
  renameSync(`${path}.${process.pid}`, path);
}
