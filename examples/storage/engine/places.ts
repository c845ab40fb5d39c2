import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where one crossing has its things. */
export interface Places {
  readonly old: string;
  readonly new: string;
  readonly switch: string;
  /** What both sides held at each turn of the switch. */
  readonly witness: string;
  readonly scratch: string;
  readonly backup: string;
  readonly settings: string;
  readonly processors: string;
  readonly integration: string;
  /** Which process it is, as of the load. */
  readonly engine: string;
  readonly engineLog: string;
  readonly load: string;
  /** What the load tells of itself. */
  readonly loadReport: string;
  readonly loadLog: string;
  readonly ledger: string;
  readonly plan: string;
  /** Sockets: short, as their paths must be. */
  readonly api: string;
  readonly door: string;
}

export const places = (dir: string): Places => ({
  old: join(dir, "old"),
  new: join(dir, "new"),
  switch: join(dir, "switch"),
  witness: join(dir, "witness.ndjson"),
  scratch: join(dir, "scratch"),
  backup: join(dir, "backup"),
  settings: join(dir, "settings.json"),
  processors: join(dir, "processors.ts"),
  integration: join(dir, "integration.json"),
  engine: join(dir, "engine.json"),
  engineLog: join(dir, "engine.log"),
  load: join(dir, "load.json"),
  loadReport: join(dir, "load-report.json"),
  loadLog: join(dir, "load.log"),
  ledger: join(dir, "ledger.ndjson"),
  plan: join(dir, "plan.json"),
  api: join(dir, "api.sock"),
  door: join(dir, "door.sock"),
});

/** Every memory that the side which was left held at the turn of this epoch: what it adds to the digest, and its name. */
export const turnList = ({ witness }: Places, epoch: number): string => `${witness}.${epoch}`;

/** What the start script decided, for all processes. */
export interface Plan {
  /** Memories that were there before. */
  readonly records: number;
  /** Writes that are wanted a second. */
  readonly rate: number;
  /** No process of the example lives longer. */
  readonly lifeMs: number;
}

/** A record that one process writes and others read; undefined when there is none. */
export function readRecord<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as T;
  } catch {
    return undefined;
  }
}

/** Whole or not at all. */
export function writeRecord(file: string, value: unknown): void {
  writeFileSync(`${file}.new`, JSON.stringify(value));
  renameSync(`${file}.new`, file);
}
