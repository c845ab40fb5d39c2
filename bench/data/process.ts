/** A process of its own for one piece of work, so that the garbage and the compiled code of one way burden no other. */
import type { Work } from "./turns.ts";
import { processMeter, type Timed } from "./meter.ts";

const work = JSON.parse(process.argv[2] ?? "") as Work;
process.on("disconnect", () => process.exit(1));

export type Do = (options: Work["options"]) => Promise<Done>;

/** How much was done, and in which time: opening and closing of stores is no part of it. */
export interface Done extends Timed {
  /** What else the work has to tell. */
  readonly told?: Readonly<Record<string, number>>;
}

const meter = processMeter();
try {
  const tasks = (await import(`./tasks/${work.file}.ts`)) as Readonly<Record<string, Do>>;
  const run = tasks[work.task];
  if (run === undefined) throw new Error(`expected a task of ${work.file}.ts, found ${work.task}`);
  const done = await run(work.options);
  process.send?.({ done: { ...done, ...meter.stop() } }, () => process.exit(0));
} catch (error) {
  const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.send?.({ error: told }, () => process.exit(1));
}
