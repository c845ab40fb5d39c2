import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** Files and folders of the work folder. */
const names = {
  /** Ports and folders of both PostgreSQL servers. */
  servers: "servers.json",
  serversLog: "servers.log",
  service: "service.json",
  serviceLog: "service.log",
  /** Whether the service takes new work. */
  counter: "counter.json",
  load: "load.json",
  loadLog: "load.log",
  /** What the load was told is done: one line an answer. */
  accepted: "accepted.ndjson",
  /** Which side is in charge. */
  switch: "switch",
  backup: "backup",
} as const;

export type Places = Readonly<Record<keyof typeof names, string>>;

export const places = (dir: string): Places =>
  Object.fromEntries(Object.entries(names).map(([name, path]) => [name, join(dir, path)])) as Places;

/** The work folder: `POSTGRES_MOVE_DIR`, or the one that `start.ts` makes. */
export const workFolder = (): string =>
  resolve(process.env["POSTGRES_MOVE_DIR"] ?? join(import.meta.dirname, "work/current"));

/** Nothing of the example lives longer than this. */
export const lifeMs: number = 15 * 60_000;

/** One PostgreSQL server; it keeps its port over restarts. */
export interface ServerPlace {
  readonly folder: string;
  readonly port: number;
}

export interface ServersRecord {
  /** Of the process that keeps them. */
  readonly pid: number;
  readonly old: ServerPlace;
  readonly new: ServerPlace;
  /** Both accept connections. */
  readonly ready: boolean;
}

export interface ServiceRecord {
  readonly pid: number;
  readonly port: number;
}

export interface LoadRecord {
  readonly pid: number;
  readonly sent: number;
  readonly accepted: number;
  /** Answers that were neither yes nor "come again". */
  readonly wrong: number;
  /** Longest time a client waited for an answer, milliseconds. */
  readonly longestMs: number;
  readonly over: boolean;
}

export const user = "postgres";
export const password = "not-a-secret";

/** Address of a database; for the tool with the schema it is to look at. */
export function addressOf({ port }: ServerPlace, database: string, schema?: string): string {
  const more = schema === undefined ? "" : `?schema=${schema}`;
  return `postgres://${user}:${password}@127.0.0.1:${port}/${database}${more}`;
}

/** A JSON file of the work folder, or undefined when it is not there (yet). */
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
