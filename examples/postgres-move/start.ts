/**
 * The whole move: `node examples/postgres-move/start.ts`. Starts two PostgreSQL servers, a shop on the old one and its customers, lets
 * Cutover move the shop's tables to the new one while the customers go on, and then counts from the ledger whether every order
 * is there once. `--back` goes back after the cutover, with what was written in between.
 */
import { argv, exit, stdout } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { CutoverError, isCutoverError } from "cutover";
import { health } from "./crossing/call-service.ts";
import { statusesAreMapped } from "./crossing/checks.ts";
import { type LoadRecord, places, readRecord } from "./settings.ts";
import { type Account, drained, settleAccount } from "./start/account.ts";
import { cutover, readStatus } from "./start/cutover-command.ts";
import { readOptions, type StartOptions, usage } from "./start/options.ts";
import { actAsPerson } from "./start/person.ts";
import {
  endAll,
  endLoad,
  freshFolders,
  keepServers,
  keepService,
  makeShops,
  supervise,
} from "./start/programs.ts";

const say = (line: string): void => void stdout.write(`${line}\n`);
const unfinished = ["RUNNING", "HOLDING", "PAUSED", "ROLLING_BACK", "ROLLBACK_STUCK"];
const definition = "examples/postgres-move/crossing.ts";

async function main(): Promise<number> {
  const options = readOptions(argv.slice(2));
  if (options.help) {
    say(usage);
    return 0;
  }
  const { runs } = await readStatus(options);
  const stranger = runs.find(({ migration }) => migration !== "postgres-move");
  if (stranger !== undefined)
    throw new CutoverError("CUTOVER_FILE_EXISTS", {
      message: `expected ${options.store} to belong to this example, found run ${stranger.id} of ${stranger.migration}`,
      remedy: "move that folder away first",
    });
  const open = options.fresh ? undefined : runs.find(({ state }) => unfinished.includes(state));
  const carrying = stopOnSignal(options.dir);
  try {
    if (open === undefined) await prepare(options);
    else {
      say(`run ${open.id} of an earlier start is unfinished (${open.state}): it goes on from where it is`);
      say("(--fresh puts it away and begins anew)\n");
      await keepServers(options.dir);
      await keepService(options.dir, { load: true });
    }
    const watching = supervise(options.dir);
    const person = actAsPerson(options, options);
    carrying.carried = true;
    const words = open === undefined ? ["run", definition] : ["resume", open.id];
    const { code } = await cutover(words, options, { show: true });
    carrying.carried = false;
    person.stop();
    await watching.stop();
    const told = await person.told;
    if (told !== undefined) say(`\n${told}`);
    return await close(options, code);
  } finally {
    await endAll(options.dir);
  }
}

async function prepare(options: StartOptions): Promise<void> {
  const { dir, store, orders } = options;
  await freshFolders(dir, store);
  const servers = await keepServers(dir);
  await makeShops(servers, options);
  // Before anything starts or changes: states that nobody mapped.
  await statusesAreMapped(dir);
  await keepService(dir, { load: true });
  say(
    `old shop on 127.0.0.1:${servers.old.port}, new one on 127.0.0.1:${servers.new.port}, ${orders} old orders, customers are buying`,
  );
  say(`ledger ${places(dir).accepted}`);
  say(
    options.back
      ? "after the cutover this script takes the run back with `npx cutover rollback`\n"
      : "the last phase needs a person: this script will approve it with `npx cutover approve`\n",
  );
  // The old shop on its own for a moment.
  await wait(1_500);
}

/** Stops the customers, lets work end, and counts. */
async function close(options: StartOptions, code: number): Promise<number> {
  const { dir } = options;
  const { view } = await readStatus(options);
  if (view === null || unfinished.includes(view.run.state)) {
    say(`\nthe move is not finished (${view?.run.state ?? "no run"}); go on with the same command`);
    return code === 0 ? 3 : code;
  }
  const after = await health(dir);
  await endLoad(dir);
  await drained(dir, after.side);
  const load = readRecord<LoadRecord>(places(dir).load);
  const account = await settleAccount(dir, after.side);
  const row = (label: string, text: string): void => say(`  ${label.padEnd(14)}${text}`);
  say("");
  row("in charge", `the ${after.side} shop, epoch ${after.epoch}`);
  row(
    "orders",
    `${account.accepted} accepted under way (${account.bySide.old} by the old shop, ${account.bySide.new} by the new one) · ${account.lost.length} lost · ${account.twice.length} twice`,
  );
  row("work", `${account.packed} orders packed · ${account.open} left open`);
  row(
    "customers",
    `${after.waits} transactions waited for the turn, the longest ${Math.round(after.longestWaitMs)} ms · longest answer ${Math.round(load?.longestMs ?? 0)} ms · ${load?.wrong ?? 0} wrong answers`,
  );
  for (const what of [...account.lost, ...account.twice].slice(0, 5)) row("", what);
  return verdict(options, view.run.state, after.side, account, load?.wrong ?? 1);
}

function verdict(
  { back }: StartOptions,
  state: string,
  side: string,
  { lost, twice, open }: Account,
  wrong: number,
): number {
  const whole = lost.length === 0 && twice.length === 0 && open === 0 && wrong === 0;
  const expected = back ? ["ROLLED_BACK", "old"] : ["COMPLETED", "new"];
  if (state === expected[0] && side === expected[1] && whole) {
    say(
      back
        ? "\nthe shop moved and came back; nothing that was written meanwhile, on either side, was lost or done twice"
        : "\nthe shop moved under load; nothing was lost, nothing was done twice",
    );
    return 0;
  }
  if (state !== expected[0]) say(`\nexpected the run to end as ${expected[0]}, found ${state}`);
  if (side !== expected[1]) say(`\nexpected the ${expected[1]} shop to be in charge, found the ${side} one`);
  return state === "ROLLED_BACK" ? 4 : 1;
}

/**
 * Ctrl-C reaches the crossing too, which stops cleanly and can be resumed; everything else ends after it. Before and after the
 * crossing, or the second time, it ends at once.
 */
function stopOnSignal(dir: string): { carried: boolean } {
  const crossing = { carried: false };
  let asked = 0;
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      if (++asked > 1 || !crossing.carried) void endAll(dir).then(() => exit(130));
    });
  return crossing;
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
