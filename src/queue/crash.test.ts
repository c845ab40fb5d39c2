import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sleep, systemClock } from "../core/index.ts";
import { openSqliteStore, type OrderState, type Store } from "../store/index.ts";
import { openQueue, queueFaultPoints } from "./index.ts";
import { isAlive, markProcess, processesWith, workerName } from "./machine.ts";
import { isFinished, nextState } from "./states.ts";
import { orderTimeline } from "./timeline.ts";

const program = join(import.meta.dirname, "../../test/queue/worker.ts");

/** A folder with a queue's file, and worker processes over it; all of it goes with the test. */
interface World extends AsyncDisposable {
  readonly folder: string;
  readonly db: string;
  readonly store: Store;
  /** Starts a worker process; it is ended with the test. */
  readonly worker: (lease: string, fault?: string) => ChildProcess;
}

async function world(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "cutover-crash-"));
  const db = join(folder, "work.db");
  const store = await openSqliteStore({ path: db, clock: systemClock });
  const children: ChildProcess[] = [];
  const worker = (lease: string, fault?: string): ChildProcess => {
    rmSync(join(folder, "ready"), { force: true });
    const child = spawn(
      process.execPath,
      [program, db, folder, lease, ...(fault === undefined ? [] : [fault])],
      { stdio: ["ignore", "inherit", "inherit", "ipc"] },
    );
    children.push(child);
    return child;
  };
  return {
    folder,
    db,
    store,
    worker,
    async [Symbol.asyncDispose]() {
      await store.close();
      for (const child of children.filter((one) => !gone(one))) {
        const exit = once(child, "exit");
        child.kill("SIGKILL");
        await exit;
      }
      rmSync(folder, { recursive: true });
    },
  };
}

async function until(what: string, done: () => boolean | Promise<boolean>, limitMs = 20_000): Promise<void> {
  const limit = systemClock.monotonic() + limitMs;
  while (!(await done())) {
    if (systemClock.monotonic() > limit) throw new Error(`${what} did not come within ${limitMs} ms`);
    await sleep(systemClock, 20);
  }
}

const gone = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

/** Sends a command and waits until it is answered or the process is gone. */
async function tell(child: ChildProcess, message: object): Promise<void> {
  if (gone(child) || !child.connected) return;
  const answered = new Promise<void>((resolve) => {
    child.once("message", () => resolve());
    child.once("exit", () => resolve());
  });
  child.send(message, () => {});
  await answered;
}

/** What the test makes a worker do, so that it comes by the fault point. */
async function drive(
  child: ChildProcess,
  fault: string,
  ids: Record<string, string>,
  store: Store,
): Promise<void> {
  const state = async (kind: string): Promise<OrderState | undefined> =>
    (await store.orders.get(ids[kind] ?? ""))?.state;
  const wait = (kind: string, wanted: OrderState): Promise<void> =>
    until(`${kind} ${wanted}`, async () => {
      const now = await state(kind);
      return gone(child) || now === wanted || (now !== undefined && isFinished(now));
    });
  if (fault.startsWith("queue.submit.")) await tell(child, { do: "submit", kind: "note", id: ids["late"] });
  if (fault.startsWith("queue.cancel.")) {
    await wait("hang", "RUNNING");
    await tell(child, { do: "cancel", id: ids["hang"] });
  }
  if (fault.startsWith("queue.requeue.")) {
    await wait("fatal", "FAILED");
    await tell(child, { do: "retry", id: ids["fatal"] });
  }
  if (fault.startsWith("queue.audit-recovery.")) {
    await wait("fatal", "FAILED");
    await tell(child, { do: "recover", id: ids["fatal"] });
  }
  if (fault.startsWith("queue.schedule.")) await tell(child, { do: "schedule" });
  if (fault.startsWith("queue.prune.")) {
    await wait("note", "COMPLETED");
    await tell(child, { do: "prune" });
  }
  if (fault.startsWith("queue.release.")) {
    await wait("hang", "RUNNING");
    await tell(child, { do: "stop" });
  }
}

/** Those that this worker passes by; containers have crash tests of their own. */
const passed = queueFaultPoints.filter((name) => !name.startsWith("queue.container."));

describe("after kill -9 of the worker", () => {
  test.concurrent.each(passed)(
    "at %s, the next worker goes on at once: nothing is lost, each result counts once",
    async (fault) => {
      await using here = await world();
      const { folder, store, worker } = here;
      const kinds = ["note", "flaky", "fatal", "program", "hang", "late"];
      const ids = Object.fromEntries(kinds.map((kind) => [kind, `${kind}-${fault}`]));
      const door = await openQueue({ store }, { slots: 4 });
      for (const kind of kinds.slice(0, -1)) {
        await door.submit(kind, { seconds: 0.05 }, { id: ids[kind] ?? "" });
      }
      await door.stop();

      if (fault.startsWith("queue.recover.")) {
        await store.orders.submit([
          {
            ...(await newProgram(store, ids["program"])),
            id: `${ids["program"]}-long`,
            payload: { seconds: 600 },
          },
        ]);
        const first = worker("60s");
        for (const id of [`${ids["program"]}-long`, ids["hang"] ?? ""]) {
          await until(`${id} runs`, async () => (await store.orders.get(id))?.state === "RUNNING");
        }
        await until("program attached", async () => {
          return (await store.orders.get(`${ids["program"]}-long`))?.sandbox != null;
        });
        first.kill("SIGKILL");
        await until("first worker gone", () => gone(first));
      }

      const victim = worker(fault.startsWith("queue.renew.") ? "150ms" : "60s", fault);
      await until("worker ready or gone", () => gone(victim) || existsSync(join(folder, "ready")));
      await drive(victim, fault, ids, store);
      await until(`death at ${fault}`, () => gone(victim));
      expect(victim.signalCode).toBe("SIGKILL");

      const since = systemClock.monotonic();
      const heir = worker("60s");
      await until("heir ready", () => existsSync(join(folder, "ready")));
      await drive(heir, fault.replace("queue.release.", ""), ids, store);
      const hang = await store.orders.get(ids["hang"] ?? "");
      if (hang !== undefined && !isFinished(hang.state)) await tell(heir, { do: "cancel", id: ids["hang"] });
      if (fault.startsWith("queue.recover.")) {
        await tell(heir, { do: "cancel", id: `${ids["program"]}-long` });
      }
      if (fault.startsWith("queue.schedule.")) {
        // The time at which the victim ended is due still, or was submitted already.
        await until("scheduled", async () => (await scheduled(store)).length > 0);
        await tell(heir, { do: "unschedule" });
      }
      await until("everything finished", async () => {
        const counts = await store.orders.counts("default");
        return counts.PENDING + counts.PREPARING + counts.RUNNING + counts.WAITING_RETRY === 0;
      });
      // Leases last 60 s: nobody waited for one.
      expect(systemClock.monotonic() - since).toBeLessThan(20_000);
      await tell(heir, { do: "stop" });
      await until("heir gone", () => gone(heir));
      expect(heir.exitCode).toBe(0);

      await checkRecord(store, ids, fault);
      checkEffects(readFileSync(join(folder, "effects"), "utf8"));
      for (const id of Object.values(ids)) expect(processesWith("CUTOVER_ORDER_ID", id)).toEqual([]);
      expect(processesWith("CUTOVER_ORDER_ID", `${ids["program"]}-long`)).toEqual([]);
    },
    60_000,
  );
});

async function newProgram(store: Store, id = ""): Promise<Parameters<Store["orders"]["submit"]>[0][number]> {
  const order = await store.orders.get(id);
  if (order === undefined) throw new Error(`${id} is not there`);
  return { ...order, uniqueKey: null, uniqueUntil: null, after: [], ifAfterFails: "cancel" };
}

async function checkRecord(store: Store, ids: Record<string, string>, fault: string): Promise<void> {
  const expected: Record<string, OrderState> = {
    note: "COMPLETED",
    flaky: "COMPLETED",
    fatal: "FAILED",
    program: "COMPLETED",
    hang: "CANCELLED",
    ...(fault.startsWith("queue.submit.") ? { late: "COMPLETED" as const } : {}),
  };
  for (const [kind, state] of Object.entries(expected)) {
    const order = await store.orders.get(ids[kind] ?? "");
    expect([kind, order?.state]).toEqual([kind, state]);
    const timeline = await orderTimeline(store, ids[kind] ?? "");
    let at: OrderState = "PENDING";
    for (const { event, from, to } of timeline.filter((entry) => entry.from !== null)) {
      expect(from).toBe(at);
      expect(nextState(kind, at, event as never)).toBe(to);
      at = to ?? at;
    }
    expect(timeline.filter(({ event }) => event === "completed")).toHaveLength(state === "COMPLETED" ? 1 : 0);
  }
  if (fault.startsWith("queue.audit-recovery.")) {
    const all = await store.orders.list({ queue: "default", limit: 100 });
    expect(all.filter(({ kind }) => kind === "fatal")).toHaveLength(2);
  }
  const times = await scheduled(store);
  expect(times.length > 0).toBe(fault.startsWith("queue.schedule."));
  expect(new Set(times).size).toBe(times.length);
  expect(await store.events.verify()).toMatchObject({ whole: true });
}

/** Keys of the orders that the schedule submitted. */
async function scheduled(store: Store): Promise<readonly string[]> {
  const all = await store.orders.list({ queue: "default", limit: 100 });
  return all.flatMap(({ uniqueKey }) => (uniqueKey?.startsWith("schedule:") ? [uniqueKey] : []));
}

/** Each line is one attempt of one order under one fence: never the same fence twice, and only upwards. */
function checkEffects(text: string): void {
  const last = new Map<string, number>();
  for (const line of text.trim().split("\n")) {
    const [id = "", fence] = line.split(" ");
    expect(Number(fence)).toBeGreaterThan(last.get(id) ?? 0);
    last.set(id, Number(fence));
  }
}

describe("what a dead worker left", () => {
  test("its program still runs: it is ended before the order goes on, and no attempt is charged", async () => {
    await using here = await world();
    const { db, folder, store, worker } = here;
    const door = await openQueue({ store });
    const { id } = await door.submit("program", { seconds: 600 });
    await door.stop();
    const victim = worker("60s");
    await until("attached", async () => (await store.orders.get(id))?.sandbox != null);
    const pid = Number((await store.orders.get(id))?.sandbox?.["pid"]);
    // The program is recorded before its first line runs.
    await until("at work", () => existsSync(join(folder, "effects")));
    const mark = markProcess(pid);
    victim.kill("SIGKILL");
    await until("worker gone", () => gone(victim));
    expect(isAlive(mark)).toBe(true);

    const next = await openQueue(`sqlite:${db}`, { stagger: 0, grace: "300ms" });
    expect(isAlive(mark)).toBe(false);
    expect(next.recovered).toMatchObject({ lost: 1, orphansEnded: 1 });
    expect(await next.get(id)).toMatchObject({
      state: "WAITING_RETRY",
      attempt: 0,
      crashes: 1,
      sandbox: null,
    });
    expect((await next.timeline(id)).at(-1)?.note).toContain(`processes ${pid} still ran and was ended`);
    await next.stop();
  });

  test("a process that only has the number of the recorded one is left alone", async () => {
    await using here = await world();
    const { store } = here;
    const bystander = spawn("sleep", ["60"]);
    await once(bystander, "spawn");
    const order = { kind: "program", id: "o1" };
    const door = await openQueue({ store });
    await door.submit(order.kind, null, { id: order.id });
    await door.stop();
    const capacity = { slots: 9, memory: 1e12, max: 1, kinds: ["program"], starts: [], tags: [] };
    const [claimed] = await store.orders.claim(
      "default",
      workerName().replace(/\d+:\d+$/, "1:1"),
      capacity,
      60_000,
    );
    const sandbox = { provider: "subprocess", pid: bystander.pid, startTime: "1" };
    const change = {
      id: "o1",
      fence: claimed?.fence ?? 0,
      from: ["PREPARING"],
      to: "RUNNING",
      event: "started",
    } as const;
    await store.orders.change([{ ...change, set: { sandbox, attempt: 1 } }]);

    const next = await openQueue({ store }, { grace: 0 });
    expect(next.recovered).toMatchObject({ lost: 1, orphansEnded: 0 });
    expect(isAlive(markProcess(bystander.pid ?? 0))).toBe(true);
    await next.stop();
    bystander.kill("SIGKILL");
    await once(bystander, "exit");
  });

  test("the same order that was running three times is poison and is not started again", async () => {
    await using here = await world();
    const { store, folder, worker } = here;
    const effects = (): string[] =>
      existsSync(join(folder, "effects"))
        ? readFileSync(join(folder, "effects"), "utf8").split("\n").slice(0, -1)
        : [];
    const door = await openQueue({ store });
    const { id } = await door.submit("hang");
    await door.stop();
    for (let round = 1; round <= 3; round++) {
      const victim = worker("60s");
      // Noted by the work itself, which begins after RUNNING is stored.
      await until(`round ${round}`, () => effects().length === round);
      victim.kill("SIGKILL");
      await until("worker gone", () => gone(victim));
      const heir = await openQueue({ store });
      expect(await heir.get(id)).toMatchObject(
        round < 3 ? { state: "WAITING_RETRY", crashes: round } : { state: "FAILED", crashes: 3 },
      );
      await heir.stop();
    }
    expect(await store.orders.get(id)).toMatchObject({ error: { code: "CUTOVER_ORDER_POISON" } });
    expect(effects()).toHaveLength(3);
  });

  test("a worker that lives is not disturbed by another one that opens the same queue", async () => {
    await using here = await world();
    const { db, store, worker } = here;
    const door = await openQueue({ store });
    const { id } = await door.submit("program", { seconds: 1 });
    await door.stop();
    worker("60s");
    await until("running", async () => (await store.orders.get(id))?.sandbox != null);
    const other = await openQueue(`sqlite:${db}`);
    expect(other.recovered).toMatchObject({ lost: 0, orphansEnded: 0 });
    expect(await other.waitFor(id, { timeout: "20s" })).toMatchObject({
      state: "COMPLETED",
      attempt: 1,
      fence: 1,
    });
    await other.stop();
  });
});
