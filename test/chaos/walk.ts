/**
 * One process of the crash test: carries the crossing to its end, or dies at a fault point. Prints one JSON line with how
 * it ended and which fault points it passed. Arguments: folder, ending, `go` or `back`, fault point or `-`, which hit.
 */
import { appendFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { silentLog, systemClock } from "cutover";
import { createEngine, type RunHandle } from "cutover/engine";
import { openSqliteStore, ownFolder, type Store } from "cutover/store";
// `cutover/testing` would load all rooms, most of this process's life.
import { setFaultHandler } from "../../src/core/index.ts";
import { crossing, type Ending } from "./crossing.ts";
import { openWorld } from "./world.ts";

const [dir = "", ending = "through", way = "go", deadly = "-", hit = "1"] = process.argv.slice(2);
const world = openWorld(dir);
const passed: Record<string, number> = {};
setFaultHandler((name) => {
  passed[name] = (passed[name] ?? 0) + 1;
  if (name === deadly && passed[name] === Number(hit)) process.kill(process.pid, "SIGKILL");
});

const folder = join(dir, ".cutover");
await using owner = await ownFolder(folder, {
  pid: process.pid,
  socket: null,
  version: "0.0.0",
  clock: systemClock,
});
await using store = await openSqliteStore({
  path: join(folder, "cutover.db"),
  routesFile: join(folder, "routes.json"),
  clock: systemClock,
});
await using engine = createEngine({
  store,
  clock: systemClock,
  log: silentLog,
  owner: `walk:${owner.owner.pid}`,
  dir: folder,
  judgeEveryMs: 20,
  leaseMs: 3_000,
  // Whoever holds the folder's lock knows that no other process of this machine is at work in it.
  isDead: (other) => other.startsWith("walk:"),
});
const by = { by: "walker", source: "crossing.ts" };
const known = (await store.runs.list())[0];
const edition = ending === "redefined" && world.isMarked("prelude") ? 2 : 1;
const migration = crossing(world, ending as Ending, edition);

const ended = ["COMPLETED", "ROLLED_BACK"];
let state: string = known?.state ?? "NONE";
if (known === undefined || !ended.includes(known.state)) {
  const run =
    known === undefined
      ? await engine.start(migration, by)
      : await engine.resume(known.id, migration, { by: "walker", acceptChanges: true });
  state = await accompany(run, store);
} else if (way === "back" && known.state === "COMPLETED") {
  state = "COMPLETED";
}
setFaultHandler(undefined);
writeSync(1, `${JSON.stringify({ state, passed })}\n`);

/** Does what a person would: approves, answers, goes on after a pause, and with `back` rolls back at once. */
async function accompany(run: RunHandle, record: Store): Promise<string> {
  const busy = new Set<string>();
  const once = (what: string, act: () => Promise<void>): void => {
    if (busy.has(what)) return;
    busy.add(what);
    void act()
      .catch((error: unknown) => appendFileSync(join(dir, "refused.log"), `${what}: ${String(error)}\n`))
      .finally(() => busy.delete(what));
  };
  const look = (): void => {
    const view = run.live();
    if (way === "back" && ["RUNNING", "HOLDING", "PAUSED"].includes(view.state)) {
      once("rollback", () => run.rollback("walker", "changed my mind"));
    } else if (view.state === "PAUSED") {
      once("continue", () => run.continue("walker", "seen"));
    } else if (view.state === "HOLDING") {
      once("settle", async () => {
        const unknown = (await record.runs.steps(run.id)).find((step) => step.state === "UNKNOWN");
        if (unknown !== undefined) await run.settle(unknown.step, "done", "walker", "it is in place");
        else await run.continue("walker", "seen");
      });
    } else if (view.phases["rollout"] === "AWAITING_APPROVAL") {
      once("approve", async () => {
        if (!world.isMarked("paused")) {
          world.mark("paused");
          await run.pause("walker", "lunch");
        } else await run.approve("rollout", "walker", "looks good");
      });
    }
  };
  const stop = run.onChange(look);
  const every = setInterval(look, 20);
  look();
  const outcome = await run.done;
  clearInterval(every);
  stop();
  return outcome.state;
}
