import { mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { hasCode } from "cutover";
import { openQueue, type Queue, subprocess } from "cutover/queue";
import type { OrderRecord } from "cutover/store";
import { agentArguments } from "../agent/command.ts";
import { operations } from "../old/submission.ts";
import type { QueueEntry, Submission, WorkOrder } from "../old/work-order.ts";
import { History } from "./history.ts";
import { type Payload, toNewQueue, toPayload, toWorkOrder } from "./translate.ts";

/** The old queue takes two at a time because somebody once wrote a 2; the new one takes what the machine bears. */
const slots = 3;
/** As many may wait as in the old queue: clients know its back-pressure. */
const depth = 100 + slots;
/** Exit code of an agent that asks for another attempt; all others would come again. */
const tryAgain = 75;
const fatalExitCodes = Array.from({ length: 256 }, (_, code) => code).filter(
  (code) => code > 0 && code !== tryAgain,
);

/** `cutover/queue` with the old server's vocabulary around it. */
export class NewQueue {
  readonly #workDir: string;
  readonly #queue: Queue;
  readonly #history: History;
  readonly #onEnded: (order: WorkOrder) => void;
  /** Submits under way, and ids that must not be taken any more. */
  readonly #arriving = new Map<string, Promise<WorkOrder>>();
  readonly #withdrawn = new Set<string>();

  private constructor(workDir: string, queue: Queue, history: History, onEnded: (order: WorkOrder) => void) {
    this.#workDir = workDir;
    this.#queue = queue;
    this.#history = history;
    this.#onEnded = onEnded;
  }

  static async open(workDir: string, onEnded: (order: WorkOrder) => void): Promise<NewQueue> {
    const dir = join(workDir, "new");
    mkdirSync(dir, { recursive: true });
    const queue = await openQueue(`sqlite:${join(dir, "queue.db")}`, {
      slots,
      depth,
      stagger: 0,
      grace: "200ms",
      backoff: { base: "100ms", cap: "2s" },
      // As in the old queue: what ran out of time is not tried again.
      classify: (error) => (hasCode(error, "CUTOVER_ORDER_TIMEOUT") ? { class: "fatal" } : undefined),
    });
    const opened = new NewQueue(workDir, queue, new History(join(dir, "history.db")), onEnded);
    for (const { id } of await queue.list({ states: unfinished, limit: 100_000 })) opened.#watch(id);
    for (const kind of [...operations, "integrator"]) queue.work<Payload>(kind, agentSandbox(workDir));
    return opened;
  }

  async submit(submission: Submission): Promise<WorkOrder> {
    const { id } = submission.order;
    if (this.#withdrawn.has(id)) throw new Error(`order ${id} is held by the old queue`);
    const arriving = this.#store(toPayload(submission, Date.now()), submission);
    this.#arriving.set(id, arriving);
    try {
      return await arriving;
    } finally {
      this.#arriving.delete(id);
    }
  }

  /** What `submit` would answer, down to the words; nothing is stored. */
  intend(submission: Submission): WorkOrder {
    const payload = toPayload(submission, Date.now());
    toNewQueue(payload, submission);
    return { ...payload, status: "queued" };
  }

  async settle(id: string): Promise<WorkOrder | null> {
    await this.#arriving.get(id)?.catch(() => {});
    const order = await this.get(id);
    if (order === null) this.#withdrawn.add(id);
    return order;
  }

  async get(id: string): Promise<WorkOrder | null> {
    const record = await this.#queue.get(this.#history.currentName(id));
    return record === undefined ? (this.#history.get(id) ?? null) : await this.#translate(record);
  }

  async list(): Promise<WorkOrder[]> {
    const records = await this.#queue.list({ limit: 100_000 });
    const integrations = new Map(records.filter(isIntegration).map((record) => [record.id, record]));
    const here = records
      .filter((record) => !isIntegration(record) && record.id === this.#history.currentName(idOf(record)))
      .map((record) => toWorkOrder(record, integrations.get(integrationId(idOf(record)))));
    const known = new Set(here.map(({ id }) => id));
    return [...here, ...this.#history.list().filter(({ id }) => !known.has(id))];
  }

  async cancel(id: string): Promise<WorkOrder | null> {
    const order = await this.get(id);
    if (order === null) return null;
    if (order.status === "queued" || order.status === "running") {
      await this.#queue.cancel(this.#history.currentName(id), "asked for by a client");
    } else if (order.status === "waiting_for_children") {
      // An integration that never runs, cancelled: from then on the parent is.
      await this.#submitIntegration(id, Number.MAX_SAFE_INTEGER);
      await this.#queue.cancel(integrationId(id), "asked for by a client");
    } else if (order.status === "integrating") {
      await this.#queue.cancel(integrationId(id), "asked for by a client");
    } else {
      return null;
    }
    return await this.get(id);
  }

  async counts(): Promise<{ waiting: number; running: number; unfinished: number }> {
    const { PENDING, PREPARING, RUNNING, WAITING_RETRY } = await this.#queue.counts();
    const running = PREPARING + RUNNING;
    return { waiting: PENDING, running, unfinished: PENDING + running + WAITING_RETRY };
  }

  async integrate(id: string): Promise<void> {
    await this.#untilRoom(() => this.#submitIntegration(id, Date.now()));
  }

  async adopt({ order, entry }: { order: WorkOrder; entry: QueueEntry }): Promise<void> {
    const { status: _, ...payload } = order;
    await this.#untilRoom(() => this.#store(payload, entry));
  }

  /** Only what no worker has is given back: one that is claimed in the same moment stays. */
  async giveBack(id: string): Promise<boolean> {
    const name = this.#history.currentName(id);
    const record = await this.#queue.get(name);
    const begun = record?.state === "CANCELLED" && this.#history.isGivingBack(name);
    if (record?.state !== "PENDING" && !begun) return false;
    // Noted first: what is found cancelled after a crash has been given back, and not cancelled by a client.
    this.#history.beginGiveBack(name);
    const given = begun || (await this.#cancelWaiting(name));
    this.#history.endGiveBack(name, given);
    return given;
  }

  async #cancelWaiting(name: string): Promise<boolean> {
    try {
      await this.#queue.cancel(name, "given back to the old queue", { onlyWaiting: true });
      return true;
    } catch (error) {
      if (hasCode(error, "CUTOVER_QUEUE_ILLEGAL_TRANSITION")) return false;
      throw error;
    }
  }

  importHistory(orders: readonly WorkOrder[]): number {
    return this.#history.store(orders);
  }

  async close(): Promise<void> {
    await this.#queue.stop();
    this.#history[Symbol.dispose]();
  }

  async #store(payload: Payload, entry: Pick<QueueEntry, "priority">): Promise<WorkOrder> {
    const { kind, options } = toNewQueue(payload, entry);
    const name = this.#history.currentName(payload.id);
    const stored = await this.#queue.submit(kind, payload, { ...options, id: name, key: name });
    if (stored.fresh) this.#watch(name);
    // Answered as the old server does, also when the first claim was faster than the answer.
    return stored.fresh ? { ...payload, status: "queued" } : await this.#translate(stored);
  }

  /** Back-pressure is for clients: what the server has accepted already waits for its place. */
  async #untilRoom(submit: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        return void (await submit());
      } catch (error) {
        if (!hasCode(error, "CUTOVER_QUEUE_FULL")) throw error;
      }
      await wait(100);
    }
  }

  async #submitIntegration(id: string, runAt: number): Promise<void> {
    const record = await this.#queue.get(this.#history.currentName(id));
    if (record?.state !== "COMPLETED") return;
    const { options } = toNewQueue(record.payload as unknown as Payload, { priority: 90 });
    const name = integrationId(id);
    const { fresh } = await this.#queue.submit("integrator", record.payload, {
      ...options,
      id: name,
      key: name,
      runAt,
    });
    if (fresh) this.#watch(name);
  }

  async #translate(record: OrderRecord): Promise<WorkOrder> {
    const isParent = (record.payload as unknown as Payload).childIds.length > 0;
    return toWorkOrder(record, isParent ? await this.#queue.get(integrationId(idOf(record))) : undefined);
  }

  /** Tells the server once the order has ended. */
  #watch(name: string): void {
    this.#queue
      .waitFor(name)
      .then(async (record) => {
        await rm(scratchOf(this.#workDir, name), { recursive: true, force: true });
        const order = await this.get(idOf(record));
        if (order !== null) this.#onEnded(order);
      })
      // Only when the queue stops; the next process watches again.
      .catch(() => {});
  }
}

const unfinished = ["PENDING", "PREPARING", "RUNNING", "WAITING_RETRY"] as const;
const integrationId = (id: string): string => `${id}.integration`;
const isIntegration = ({ kind }: OrderRecord): boolean => kind === "integrator";
const idOf = ({ payload }: OrderRecord): string => (payload as unknown as Payload).id;
const scratchOf = (workDir: string, name: string): string => join(workDir, "scratch", `new-${name}`);

/** The same program the old queue runs, in a sandbox of the new one. */
function agentSandbox(workDir: string): ReturnType<typeof subprocess<Payload>> {
  return subprocess<Payload>({
    fatalExitCodes,
    output: "4 kB",
    command: ({ id: name, kind, payload, fence }, { attempt }) => {
      const cwd = scratchOf(workDir, name);
      mkdirSync(cwd, { recursive: true });
      const id = kind === "integrator" ? integrationId(payload.id) : payload.id;
      const key = `${name}:${fence}`;
      const execution = {
        id,
        agentType: kind,
        prompt: payload.taskPrompt,
        attempt,
        key,
        side: "new" as const,
      };
      return { file: "sh", args: agentArguments(workDir, execution), cwd };
    },
  });
}
