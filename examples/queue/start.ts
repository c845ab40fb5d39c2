/**
 * The whole crossing: `npm start`. Starts the old work-order server and its load, lets Cutover replace the server's
 * queue while the load goes on, and then counts from the ledger whether every work order was done exactly once.
 */
import { relative } from "node:path";
import { argv, exit, stdout } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { CutoverError, isCutoverError } from "cutover";
import { brokenPromises, contractLength } from "./contract.ts";
import { statusMap } from "./crossing.ts";
import { readOnce, refuseUnmapped } from "./crossing/old-folder.ts";
import { runsScript } from "./crossing/process-command.ts";
import { health, startDetached, startServer } from "./crossing/server-control.ts";
import { ask } from "./http-client.ts";
import type { LoadReport, LoadSettings } from "./load/settings.ts";
import type { WorkOrder } from "./old/work-order.ts";
import {
  places,
  readRecord,
  type ServerRecord,
  type ServerSettings,
  writeRecord,
} from "./server/settings.ts";
import { type Account, readLines, settleAccount } from "./start/account.ts";
import { approveWhenWanted } from "./start/approver.ts";
import { closingLines } from "./start/closing.ts";
import { cutover, projectRoot, readStatus } from "./start/cutover-command.ts";
import { readOptions, type StartOptions, usage } from "./start/flags.ts";
import { endLeftovers, freshFolders, refuseTakenPort } from "./start/folders.ts";

const say = (line: string): void => void stdout.write(`${line}\n`);
/** Nothing of the example lives longer than this. */
const lifeMs = 10 * 60_000;
const unfinished = ["RUNNING", "HOLDING", "PAUSED", "ROLLING_BACK", "ROLLBACK_STUCK"];
const definition = "examples/queue/crossing.ts";

async function main(): Promise<number> {
  const options = readOptions(argv.slice(2));
  if (options.help) {
    say(usage);
    return 0;
  }
  const { runs } = await readStatus(options);
  const stranger = runs.find(({ migration }) => migration !== "work-order-queue");
  if (stranger !== undefined)
    throw new CutoverError("CUTOVER_FILE_EXISTS", {
      message: `expected ${options.store} to belong to this example, found run ${stranger.id} of ${stranger.migration}`,
      remedy: "move that folder away first",
    });
  const open = options.fresh ? undefined : runs.find(({ state }) => unfinished.includes(state));
  const crossing = stopOnSignal(options.dir);
  if (open === undefined) await prepare(options);
  else {
    say(`run ${open.id} of an earlier start is unfinished (${open.state}): it goes on from where it is`);
    say("(npm start -- --fresh puts it away and begins anew)\n");
  }
  try {
    crossing.carried = true;
    const code = await carry(options, open?.id);
    crossing.carried = false;
    return await close(options, code);
  } finally {
    await endLeftovers(options.dir);
  }
}

/** Leaves the terminal to `cutover run` or `resume`, and approves when it is asked. */
async function carry(place: StartOptions, open: string | undefined): Promise<number> {
  const approving = approveWhenWanted(place);
  const words = open === undefined ? ["run", definition] : ["resume", open];
  const { code } = await cutover(words, place, { show: true });
  approving.stop();
  const approved = await approving.told;
  if (approved !== undefined) say(`\n${approved}`);
  return code;
}

async function prepare(options: StartOptions): Promise<void> {
  const { dir, store, data, port, fault } = options;
  // Before anything starts or changes: data that is not there, and statuses that nobody mapped.
  refuseUnmapped(readOnce(data), statusMap);
  await endLeftovers(dir);
  await refuseTakenPort(port);
  freshFolders(options, data);
  const files = places(dir);
  // Known before anything runs, so that the account at the end does not rest on what the crossing says.
  const { aside } = readOnce(files.old);
  writeRecord(
    files.damaged,
    aside.map(({ id }) => id),
  );
  writeRecord(files.serverSettings, { port, store, fault, lifeMs } satisfies ServerSettings);
  const server = await startServer(dir);
  const load: LoadSettings = { rate: 150, depth: 40, orders: 60_000, lifeMs, wanted: true };
  writeRecord(files.loadSettings, load);
  startDetached("load.ts", dir, files.loadLog);
  say(`work-order server on http://127.0.0.1:${server.port} with its old queue, under load`);
  say(`data ${relative(projectRoot, files.old)}  (a copy)   ledger ${relative(projectRoot, files.ledger)}`);
  if (fault !== null) say(`fault: the new side turns bad (${fault}) once it answers half of the orders`);
  say("the last phase needs a person: this script will approve it with `npx cutover approve`\n");
  // The old side on its own, as a measure.
  await wait(2_000);
}

/** Stops the load, lets everything end, and counts. */
async function close(options: StartOptions, code: number): Promise<number> {
  const { dir } = options;
  const files = places(dir);
  const fault = readRecord<ServerSettings>(files.serverSettings)?.fault ?? null;
  const { view } = await readStatus(options);
  if (view === null || unfinished.includes(view.run.state)) {
    say(
      `\nthe crossing is not finished (${view?.run.state ?? "no run"}); go on with \`npm start\` or \`npx cutover resume\``,
    );
    return code === 0 ? 3 : code;
  }
  await endLoad(dir);
  const aside = readRecord<string[]>(files.damaged) ?? [];
  if (!(await drained(dir, aside))) say("not everything has ended after 30 s");
  const port = readRecord<ServerRecord>(files.server)?.port ?? 0;
  const broken = await brokenPromises(port);
  const account = await count(dir, port, aside);
  const load = readRecord<LoadReport>(files.load);
  say("");
  if (load !== undefined) for (const line of closingLines(account, load, view)) say(line);
  say(
    `  contract      ${contractLength() - broken.length} of ${contractLength()} promises of the API kept after the crossing`,
  );
  for (const line of broken) say(`                ${line}`);
  return verdict(fault, view.run.state, account, broken.length + (load?.wrong ?? 1));
}

function verdict(fault: string | null, state: string, account: Account, wrong: number): number {
  const whole = account.lost.length === 0 && account.twice.length === 0 && wrong === 0;
  const expected = fault === null ? "COMPLETED" : "ROLLED_BACK";
  if (state === expected && whole) {
    say(
      fault === null
        ? "\nthe queue was replaced under load; nothing was lost, nothing was done twice"
        : `\nas it should be: the new side turned bad (${fault}), everything went back to the old side; nothing was lost, nothing was done twice`,
    );
    return 0;
  }
  if (state !== expected) say(`\nexpected the run to end as ${expected}, found ${state}`);
  if (!whole) say(`\n${account.lost.length} lost, ${account.twice.length} twice, ${wrong} wrong`);
  return state === "ROLLED_BACK" ? 4 : 1;
}

async function endLoad(dir: string): Promise<void> {
  const { loadSettings } = places(dir);
  const settings = readRecord<LoadSettings>(loadSettings);
  if (settings !== undefined)
    writeRecord(loadSettings, { ...settings, wanted: false } satisfies LoadSettings);
  const pid = readRecord<LoadReport>(places(dir).load)?.pid;
  const script = "queue/load.ts";
  if (pid === undefined || !runsScript(pid, script)) return;
  process.kill(pid, "SIGTERM");
  for (let i = 0; i < 200 && runsScript(pid, script); i++) await wait(50);
}

/** True once nothing is left to do on either side, but what was set aside. */
async function drained(dir: string, aside: readonly string[]): Promise<boolean> {
  for (let i = 0; i < 150; i++) {
    const answer = (await health(dir)) as { old: Counts | null; new: Counts | null } | undefined;
    if (answer?.new !== null && answer?.new !== undefined) {
      // What was set aside stays unfinished in the old queue for as long as there is one, and is archived with it.
      const [old, stays] = answer.old === null ? [0, 0] : [answer.old.unfinished, aside.length];
      if (answer.new.unfinished === 0 && old <= stays) return true;
    }
    await wait(200);
  }
  return false;
}

interface Counts {
  readonly unfinished: number;
}

async function count(dir: string, port: number, aside: readonly string[]): Promise<Account> {
  const files = places(dir);
  const { body } = await ask(port, "GET", "/work-orders", undefined, 60_000);
  const { workOrders } = body as { workOrders: WorkOrder[] };
  const accepted = readLines<{ id: string }>(files.accepted).map(({ id }) => id);
  return settleAccount(workOrders, readLines(files.ledger), accepted, aside);
}

/**
 * Ctrl-C reaches the crossing too, which stops cleanly and can be resumed; server and load end after it. Before and
 * after the crossing, or the second time, they end at once.
 */
function stopOnSignal(dir: string): { carried: boolean } {
  const crossing = { carried: false };
  let asked = 0;
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      if (++asked > 1 || !crossing.carried) void endLeftovers(dir).then(() => exit(130));
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
