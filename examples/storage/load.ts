/**
 * Writes to the engine all the time: `node load.ts DIR`. What it is about to write and what the engine said is written goes into the
 * ledger first and at once, so that the account at the end rests on nothing else.
 */
import { openSync, writeSync } from "node:fs";
import { argv, exit } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { ask } from "./engine/client.ts";
import { places, type Plan, readRecord, writeRecord } from "./engine/places.ts";
import { Quantiles } from "./engine/quantiles.ts";
import { seedAt } from "./engine/seeds.ts";
import { type Line, readLedger } from "./start/ledger.ts";

export interface LoadReport {
  readonly written: number;
  /** Calls that were not answered as wished; what became of them is not known. */
  readonly failed: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly longestMs: number;
  /** Of the last ten seconds. */
  readonly recent: { readonly written: number; readonly failed: number };
}

/** What the engine answers to a write. */
type Told = { readonly keys: readonly string[]; readonly side: "old" | "new" };

const lanes = 4;
const [reportMs, recentMs] = [250, 10_000];
const dir = argv[2] ?? ".";
const files = places(dir);
const plan = readRecord<Plan>(files.plan) ?? { records: 1, rate: 100, lifeMs: 60_000 };
const before = readRecord<LoadReport>(files.loadReport);
const { lastWrite, lastNumber } = readLedger(files.ledger);
const ledger = openSync(files.ledger, "a");
const note = (line: Line): void => void writeSync(ledger, `${JSON.stringify(line)}\n`);

const figures = new Quantiles();
let [written, failed, longestMs] = [before?.written ?? 0, before?.failed ?? 0, before?.longestMs ?? 0];
let write = lastWrite;
let turn = Math.ceil(lastNumber / lanes);
let ending = false;

/** One lane writes the keys of one remainder alone, so that no two writes of one key are on their way at once. */
async function lane(remainder: number): Promise<void> {
  for (let step = 0; !ending; step++) {
    const began = performance.now();
    await writeOnce(remainder, step).catch(async () => {
      failed++;
      await wait(100);
    });
    const took = performance.now() - began;
    await wait(Math.max(0, (1_000 * lanes) / plan.rate - took));
  }
}

async function writeOnce(remainder: number, step: number): Promise<void> {
  const own = (number: number): number => number - (number % lanes) + remainder;
  const digits = (number: number): string => String(number).padStart(8, "0");
  const wish = { write: ++write, text: `said in write "${write}"`, weight: (write % 89) / 89 };
  // Other lanes go on counting while this one waits for an answer.
  const number = wish.write;
  const began = performance.now();
  const known = own(Math.max(0, turn * lanes - 40 - ((step * 37) % 400)));
  if (step % 20 === 19) {
    const id = `live-${digits(known)}`;
    note({ i: number, k: `sensory:${id}`, gone: true });
    const { side } = (await ask(dir, "POST", "/forget", { layer: "sensory", id })) as unknown as Told;
    note({ a: number, k: [`sensory:${id}`], s: side, gone: true });
  } else {
    const { layer, id } = place(remainder, step, known);
    note({ i: number, k: `${layer}:${id}` });
    const { keys, side } = (await ask(dir, "POST", "/remember", { layer, id, ...wish })) as unknown as Told;
    note({ a: number, k: keys, s: side });
  }
  written++;
  const took = performance.now() - began;
  figures.add(took);
  longestMs = Math.max(longestMs, took);
}

/** Mostly new ones, often again one of the last, at times one that was there before. */
function place(remainder: number, step: number, last: number): { layer: string; id: string } {
  if (step % 5 === 3) {
    const index = (step * 7_919) % Math.max(lanes, plan.records - lanes);
    return seedAt(index - (index % lanes) + remainder);
  }
  const known = step % 5 === 1 ? last : ++turn * lanes + remainder;
  return { layer: "sensory", id: `live-${String(known).padStart(8, "0")}` };
}

/** Counts as they stood at each report of the last ten seconds. */
const past = [{ written, failed }];
const report = (): void => {
  past.push({ written, failed });
  if (past.length > recentMs / reportMs) past.shift();
  const [then = { written, failed }] = past;
  writeRecord(files.loadReport, {
    written,
    failed,
    p50Ms: figures.at(0.5) ?? null,
    p99Ms: figures.at(0.99) ?? null,
    longestMs,
    recent: { written: written - then.written, failed: failed - then.failed },
  } satisfies LoadReport);
};

report();
setInterval(report, reportMs).unref();
process.on("SIGTERM", () => (ending = true));
process.on("SIGINT", () => (ending = true));
setTimeout(() => (ending = true), plan.lifeMs).unref();
await Promise.all(Array.from({ length: lanes }, (_, remainder) => lane(remainder)));
report();
exit(0);
