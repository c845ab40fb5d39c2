import { randomBytes } from "node:crypto";
import { runAgent } from "./agent-process.ts";
import { type MoveMark, OrderFiles, type QueueState } from "./order-files.ts";
import { isEnded, type QueueEntry, type Submission, type WorkOrder } from "./work-order.ts";

const maxRunning = 2;
const maxWaiting = 100;
/** Exit code of an agent that asks for another iteration. */
const tryAgain = 75;

/** Answered with 503 and `Retry-After`. */
export class QueueFull extends Error {
  constructor() {
    super(`Queue is full: ${maxWaiting} work orders are waiting`);
  }
}

export interface OldQueueOptions {
  /** Data folder: `work-orders/`, `queue-state.json`. */
  readonly dir: string;
  /** Where agents work and write the ledger. */
  readonly workDir: string;
  /** Status of an order this queue does not hold, for parents whose children went elsewhere. */
  readonly statusElsewhere?: (id: string) => string | undefined;
  readonly onEnded?: (order: WorkOrder) => void;
  readonly warn?: (message: string) => void;
}

/**
 * The old queue: one JSON file per work order, statuses as words, two at a time, a hundred waiting. Priority first,
 * then age, and nothing keeps a low priority from waiting for ever.
 */
export class OldQueue {
  readonly #options: OldQueueOptions;
  readonly #files: OrderFiles;
  readonly #orders = new Map<string, WorkOrder>();
  readonly #moved = new Map<string, { order: WorkOrder; mark: MoveMark }>();
  #waiting: QueueEntry[] = [];
  readonly #integrations: string[] = [];
  readonly #running = new Map<string, AbortController>();
  readonly #canceling = new Set<string>();
  #waitTimes: number[] = [];
  #arriving = 0;
  #open = true;
  readonly #work = new Set<Promise<void>>();

  constructor(options: OldQueueOptions) {
    this.#options = options;
    this.#files = new OrderFiles(options.dir);
  }

  /** Reads the folder and goes on where the last process stopped: what was running starts again, first of all. */
  start(): void {
    const { orders, unreadable, state } = this.#files.readAll();
    for (const name of unreadable) this.#options.warn?.(`cannot read work-orders/${name}, left as it is`);
    if (state === undefined) this.#options.warn?.("cannot read queue-state.json, the queue begins empty");
    this.#waitTimes = [...(state?.waitTimes ?? [])];
    const places: QueueEntry[] = [];
    for (const { movedTo, entry, ...order } of orders) {
      if (movedTo === undefined) this.#orders.set(order.id, order);
      else this.#moved.set(order.id, { order, mark: movedTo });
      if (movedTo === undefined && entry !== undefined && order.status === "queued") places.push(entry);
    }
    // An entry without a file is never run and never cleaned up; it keeps its place in the file.
    this.#waiting = (state?.queue ?? []).filter(({ workOrderId: id }) => {
      const order = this.#orders.get(id);
      return order === undefined ? !this.#moved.has(id) : order.status === "queued";
    });
    for (const entry of places) if (this.#entryOf(entry.workOrderId) === undefined) this.#waiting.push(entry);
    for (const order of this.#orders.values()) {
      if (order.status === "running") this.#requeue(order);
      if (order.status === "integrating") this.#integrations.push(order.id);
    }
    for (const id of this.#orders.keys()) this.#integrateWhenReady(id);
    this.#sort();
    this.#pump();
  }

  async submit({ order: given, priority, maxWaitMs }: Submission): Promise<WorkOrder> {
    const known = this.#orders.get(given.id);
    if (known !== undefined && (known.status !== "queued" || this.#entryOf(given.id) !== undefined))
      return known;
    if (this.#waiting.length + this.#arriving >= maxWaiting) throw new QueueFull();
    const order: WorkOrder = known ?? { ...given, createdAt: new Date().toISOString(), status: "queued" };
    const entry = { workOrderId: order.id, priority, enqueuedAt: order.createdAt, maxWaitMs };
    this.#orders.set(order.id, order);
    this.#arriving++;
    try {
      await this.#files.saveOrder({ ...order, entry });
    } catch (error) {
      if (known === undefined) this.#orders.delete(order.id);
      throw error;
    } finally {
      this.#arriving--;
    }
    this.#enqueue(entry);
    await this.#saveState();
    this.#pump();
    return order;
  }

  get(id: string): WorkOrder | undefined {
    return this.#orders.get(id);
  }

  list(): WorkOrder[] {
    return [...this.#orders.values()];
  }

  /** True while an order's file carries the mark of the move. */
  hasMoved(id: string): boolean {
    return this.#moved.has(id);
  }

  movedIds(): string[] {
    return [...this.#moved.keys()];
  }

  counts(): { waiting: number; running: number; unfinished: number } {
    const unfinished = this.unfinishedIds().length;
    return { waiting: this.#waiting.length, running: this.#running.size, unfinished };
  }

  /** Ids of everything that has not ended, entries without an order included. */
  unfinishedIds(): string[] {
    const held = this.list().filter(({ status }) => !isEnded(status));
    return [
      ...new Set([...held.map(({ id }) => id), ...this.#waiting.map(({ workOrderId }) => workOrderId)]),
    ];
  }

  /** Undefined when the order has ended already. */
  async cancel(id: string): Promise<WorkOrder | undefined> {
    const order = this.#orders.get(id);
    if (order === undefined || isEnded(order.status)) return undefined;
    const running = this.#running.get(id);
    if (running === undefined) {
      this.#waiting = this.#waiting.filter((entry) => entry.workOrderId !== id);
      return await this.#end(order, { status: "canceled" });
    }
    this.#canceling.add(id);
    running.abort();
    return order;
  }

  /** Called when an order that this queue does not hold has ended: a parent here may have waited for it. */
  childEnded(parentId: string): void {
    this.#integrateWhenReady(parentId);
    this.#pump();
  }

  /**
   * Hands a waiting order over: takes it out of the queue and marks its file, durably, before it resolves.
   * Undefined when the order does not wait here (any more).
   */
  async release(id: string): Promise<{ order: WorkOrder; entry: QueueEntry } | undefined> {
    const moved = this.#moved.get(id);
    if (moved !== undefined) return { order: moved.order, entry: moved.mark.entry };
    const order = this.#orders.get(id);
    const entry = this.#entryOf(id);
    if (order === undefined || order.status !== "queued" || entry === undefined) return undefined;
    const mark: MoveMark = { side: "new", entry };
    this.#waiting = this.#waiting.filter((other) => other.workOrderId !== id);
    this.#orders.delete(id);
    this.#moved.set(id, { order, mark });
    await this.#files.saveOrder({ ...order, movedTo: mark });
    await this.#saveState();
    return { order, entry };
  }

  /** The way back of `release`; does nothing for an order that is here already. */
  async takeBack(id: string): Promise<void> {
    const moved = this.#moved.get(id);
    if (moved === undefined) return;
    this.#moved.delete(id);
    this.#orders.set(id, moved.order);
    await this.#files.saveOrder({ ...moved.order, entry: moved.mark.entry });
    this.#enqueue(moved.mark.entry);
    await this.#saveState();
    this.#pump();
  }

  /** Starts nothing more and waits until what runs has ended; with `kill` it is stopped and runs again at the next start. */
  async close({ kill }: { kill: boolean }): Promise<void> {
    this.#open = false;
    if (kill) for (const controller of this.#running.values()) controller.abort();
    await Promise.all(this.#work);
    await this.#files.settled();
  }

  #pump(): void {
    while (this.#open && this.#running.size < maxRunning) {
      const integration = this.#integrations.shift();
      const id = integration ?? this.#takeWaiting();
      if (id === undefined) return;
      const order = this.#orders.get(id);
      if (order === undefined || isEnded(order.status)) continue;
      const controller = new AbortController();
      this.#running.set(id, controller);
      const work = (
        integration === undefined
          ? this.#run(order, controller.signal)
          : this.#integrate(order, controller.signal)
      )
        .catch((error: unknown) => this.#options.warn?.(`work order ${id}: ${String(error)}`))
        .finally(() => {
          this.#running.delete(id);
          this.#work.delete(work);
          this.#pump();
        });
      this.#work.add(work);
    }
  }

  async #run(order: WorkOrder, signal: AbortSignal): Promise<void> {
    const running = await this.#change(order, {
      status: "running",
      runId: randomBytes(9).toString("base64url"),
    });
    const error = await this.#iterate(running, running.id, running.agentType, signal);
    if (error === "stopped") return await this.#stopped(running);
    if (error !== undefined) return void (await this.#end(running, { status: "failed", error }));
    if (running.childIds.length === 0) return void (await this.#end(running, { status: "succeeded" }));
    await this.#change(running, { status: "waiting_for_children" });
    this.#integrateWhenReady(running.id);
  }

  async #integrate(order: WorkOrder, signal: AbortSignal): Promise<void> {
    const integrationWorkOrderId = `${order.id}.integration`;
    const open = await this.#change(order, { integrationStatus: "in_progress", integrationWorkOrderId });
    const error = await this.#iterate(open, integrationWorkOrderId, "integrator", signal);
    if (error === "stopped") return await this.#stopped(open);
    const end = error === undefined ? { status: "succeeded" as const } : { status: "failed" as const, error };
    await this.#end(open, { ...end, integrationStatus: "done" });
  }

  /** Runs the agent until it is done; answers what went wrong, if anything. */
  async #iterate(
    order: WorkOrder,
    id: string,
    agentType: string,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    for (let attempt = 1; ; attempt++) {
      const key = `${order.id}:${order.runId ?? ""}`;
      const execution = { id, agentType, prompt: order.taskPrompt, attempt, key, side: "old" as const };
      const limitMs = Math.min(order.maxWallClockSeconds * 1_000, 2 ** 31 - 1);
      const end = await runAgent(this.#options.workDir, execution, limitMs, signal);
      if (end.kind === "stopped") return "stopped";
      if (end.kind === "timeout") return `Agent timed out after ${order.maxWallClockSeconds} s`;
      if (end.code === 0) return undefined;
      if (end.code !== tryAgain || attempt >= order.maxIterations)
        return `Agent exited with code ${end.code}`;
    }
  }

  /** Cancelled by a person: that is its end. Stopped with the server: it stays as it is and runs again. */
  async #stopped(order: WorkOrder): Promise<void> {
    if (this.#canceling.delete(order.id)) await this.#end(order, { status: "canceled" });
  }

  /** A parent integrates once all its children have ended; a child that has not even been submitted has not ended. */
  #integrateWhenReady(id: string): void {
    // Read anew: while its file was written, the last child may have ended and begun the integration.
    const parent = this.#orders.get(id);
    if (parent?.status !== "waiting_for_children") return;
    const statusOf = (id: string): string | undefined =>
      this.#orders.get(id)?.status ?? this.#options.statusElsewhere?.(id);
    if (!parent.childIds.every((id) => isEnded(statusOf(id) ?? "queued"))) return;
    this.#orders.set(parent.id, { ...parent, status: "integrating" });
    this.#integrations.push(parent.id);
  }

  async #change(order: WorkOrder, change: Partial<WorkOrder>): Promise<WorkOrder> {
    const next: WorkOrder = { ...order, ...change };
    this.#orders.set(next.id, next);
    await this.#files.saveOrder(next);
    void this.#saveState();
    return next;
  }

  async #end(order: WorkOrder, change: Partial<WorkOrder>): Promise<WorkOrder> {
    const next = await this.#change(order, { ...change, completedAt: new Date().toISOString() });
    if (next.parentId !== undefined) this.childEnded(next.parentId);
    this.#options.onEnded?.(next);
    return next;
  }

  #requeue(order: WorkOrder): void {
    this.#orders.set(order.id, { ...order, status: "queued" });
    this.#waiting.push({
      workOrderId: order.id,
      priority: 1_000,
      enqueuedAt: order.createdAt,
      maxWaitMs: null,
    });
  }

  #enqueue(entry: QueueEntry): void {
    this.#waiting.push(entry);
    this.#sort();
  }

  #sort(): void {
    this.#waiting.sort((a, b) => b.priority - a.priority || (a.enqueuedAt < b.enqueuedAt ? -1 : 1));
  }

  #takeWaiting(): string | undefined {
    const index = this.#waiting.findIndex(({ workOrderId }) => this.#orders.has(workOrderId));
    if (index === -1) return undefined;
    const [entry] = this.#waiting.splice(index, 1);
    if (entry === undefined) return undefined;
    this.#waitTimes = [...this.#waitTimes.slice(-49), Date.now() - Date.parse(entry.enqueuedAt)];
    return entry.workOrderId;
  }

  #entryOf(id: string): QueueEntry | undefined {
    return this.#waiting.find((entry) => entry.workOrderId === id);
  }

  #saveState(): Promise<void> {
    return this.#files.saveState((): QueueState => {
      const running = [...this.#running.keys()];
      return {
        version: "1.0",
        queue: this.#waiting,
        running,
        waitTimes: this.#waitTimes,
        savedAt: new Date().toISOString(),
      };
    });
  }
}
