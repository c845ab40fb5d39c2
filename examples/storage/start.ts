/**
 * The whole crossing: `node examples/storage/start.ts`. Plants memories in the old store, starts engine and load, lets Cutover
 * replace the store under the engine while the load goes on, and then counts from the ledger that nothing was lost.
 */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { argv, exit, stdout } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { isCutoverError } from "cutover";
import { places, type Plan, readRecord, writeRecord } from "./engine/places.ts";
import { plantSeeds } from "./engine/seeds.ts";
import type { LoadReport } from "./load.ts";
import { type Account, settleAccount } from "./start/account.ts";
import { cutover, projectRoot, readStatus } from "./start/cutover-command.ts";
import { readOptions, type StartOptions, usage } from "./start/flags.ts";
import { people } from "./start/people.ts";
import { endLeftovers, Keeper } from "./start/processes.ts";

const say = (line: string): void => void stdout.write(`${line}\n`);
const unfinished = ["RUNNING", "HOLDING", "PAUSED", "ROLLING_BACK", "ROLLBACK_STUCK"];
const number = (n: number): string => n.toLocaleString("en");

async function main(): Promise<number> {
  const options = readOptions(argv.slice(2));
  if (options.help) {
    say(usage);
    return 0;
  }
  const { dir } = options;
  const run = options.fresh ? undefined : (await readStatus(options)).runs.at(0);
  const open = run !== undefined && unfinished.includes(run.state) ? run : undefined;
  if (open === undefined) await prepare(options);
  else say(`run ${open.id} of an earlier start is unfinished (${open.state}): it goes on from where it is\n`);
  const keeper = new Keeper(dir, say);
  await keeper.start();
  say(`engine and load are running · ledger ${relative(projectRoot, places(dir).ledger)}\n`);
  // The old side on its own for a moment, as a measure.
  if (open === undefined) await wait(1_000);
  const asked = people(options, options.back);
  const words = open === undefined ? ["run", join(import.meta.dirname, "crossing.ts")] : ["resume", open.id];
  const { code } = await cutover(words, options, { show: true });
  asked.stop();
  for (const line of await asked.told) say(`in place of a person: ${line}`);
  // Writes that were made after the end count as well.
  await wait(500);
  await keeper.stop();
  return await close(options, code);
}

/** Puts what an ended run left behind away, and makes the old side anew. */
async function prepare({ dir, store, records, rate }: StartOptions): Promise<void> {
  await endLeftovers(dir);
  const previous = join(dirname(dir), "previous");
  rmSync(previous, { recursive: true, force: true });
  mkdirSync(previous, { recursive: true });
  if (existsSync(dir)) renameSync(dir, join(previous, "work"));
  if (existsSync(store)) renameSync(store, join(previous, "cutover"));
  mkdirSync(dir, { recursive: true });
  mkdirSync(store, { recursive: true });
  const files = places(dir);
  say(`plants ${number(records)} memories in five layers of a LevelDB, ${relative(projectRoot, files.old)}`);
  const plan: Plan = { records, rate, lifeMs: 2 * 3_600_000 };
  writeRecord(files.plan, plan);
  writeFileSync(files.settings, '{\n  "cache": { "entries": 0 }\n}\n');
  await copyFile(join(import.meta.dirname, "processors/plain.ts"), files.processors);
  await plantSeeds(files.old, records);
}

async function close(options: StartOptions, code: number): Promise<number> {
  const { view } = await readStatus(options);
  const state = view?.run.state ?? "no run";
  if (view === null || unfinished.includes(state)) {
    say(`\nthe crossing is not finished (${state}); the same command goes on with it`);
    return code === 0 ? 3 : code;
  }
  const plan = readRecord<Plan>(places(options.dir).plan);
  const account = await settleAccount(options.dir, plan?.records ?? options.records);
  for (const line of closingLines(account, readRecord<LoadReport>(places(options.dir).loadReport))) say(line);
  const wanted = options.back ? "ROLLED_BACK" : "COMPLETED";
  const side = options.back ? "old" : "new";
  const unequal = account.witnesses.filter((each) => each.old.digest !== each.new.digest).length;
  const { end } = account;
  const changed = end.sides.filter(({ digest }) => digest !== end.digest).length;
  const wrong = account.lost.length + account.wrong.length + account.extra.length + unequal + changed;
  if (state === wanted && account.side === side && wrong === 0) {
    say(
      options.back
        ? "\nas it should be: everything went back, with all that was written to the new store meanwhile; nothing was lost"
        : "\nthe store was replaced under load; nothing was lost",
    );
    return 0;
  }
  say(
    `\nexpected the run to end as ${wanted} with the ${side} side in charge and nothing lost, found ${state}, ${account.side}`,
  );
  return state === "ROLLED_BACK" ? 4 : 1;
}

/** Memories that nobody wrote since the turn, read by the packages of the databases alone. */
function endLine(
  { against, to, memories, digest }: Account["end"],
  found: Account["end"]["sides"][number],
): string {
  const of = {
    turn: `not written since the turn to the ${to} side`,
    "other side": `not written since the turn to the ${to} side, held against the side that was left`,
    planted: "planted and never written",
  }[against];
  return found.digest === digest
    ? `${found.side} side, read by its driver: equal · ${number(memories)} ${of} · ${digest}`
    : `${found.side} side, read by its driver: NOT EQUAL · ${number(found.memories)} of ${number(memories)} ${of} · ${found.digest} instead of ${digest}`;
}

function closingLines(account: Account, load: LoadReport | undefined): readonly string[] {
  const row = (label: string, text: string): string => `  ${label.padEnd(14)}${text}`;
  const { side, rows, untouched, writes, writesOnNew, open, lost, wrong, extra, aside, end } = account;
  return [
    "",
    row("memories", `${number(rows)} on the ${side} side · ${number(untouched)} as they were before`),
    row(
      "writes",
      `${number(writes)} acknowledged, ${number(writesOnNew)} by the new side · ${lost.length} lost · ${wrong.length} wrong · ${extra.length} of nobody`,
    ),
    ...(end.against === "turn"
      ? []
      : [row("digests", `nobody was witness of the last turn: the engine was gone, or too busy`)]),
    ...account.witnesses.map(({ to, old, new: young }) =>
      row(
        "digests",
        old.digest === young.digest
          ? `equal at the turn to the ${to} side · ${number(old.memories)} memories · ${old.digest}`
          : `not equal at the turn to the ${to} side · old ${number(old.memories)} ${old.digest} · new ${number(young.memories)} ${young.digest}`,
      ),
    ),
    ...end.sides.map((each) => row("at the end", endLine(end, each))),
    row("", `${number(open)} that nobody heard the end of · ${aside} rows that are no memories, kept aside`),
    ...(load === undefined
      ? []
      : [
          row(
            "seen by load",
            `p50 ${(load.p50Ms ?? 0).toFixed(1)} ms · p99 ${(load.p99Ms ?? 0).toFixed(1)} ms · longest ${Math.round(load.longestMs)} ms · ${load.failed} failed`,
          ),
        ]),
    ...[...lost, ...wrong, ...extra].slice(0, 10).map((key) => row("", key)),
  ];
}

try {
  exit(await main());
} catch (error) {
  if (!isCutoverError(error)) throw error;
  console.error(
    `error ${error.code}  ${error.message}${error.place === undefined ? "" : `\n  in ${error.place}`}\n  ${error.remedy}`,
  );
  exit(error.exitCode);
}
