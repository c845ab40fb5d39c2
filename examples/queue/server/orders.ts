import { isDeepStrictEqual } from "node:util";
import { NewSide, NewSideGone } from "../new/new-side.ts";
import { OldQueue } from "../old/old-queue.ts";
import {
  isEnded,
  statuses,
  type Submission,
  type WorkOrder,
  type WorkOrderStatus,
} from "../old/work-order.ts";

export type Side = "old" | "new";

/** An answer with the side that gave it. */
export interface Placed {
  readonly side: Side;
  readonly order: WorkOrder;
}

export interface OrdersOptions {
  readonly oldDir: string;
  readonly workDir: string;
  readonly warn: (message: string) => void;
  /** Wraps the new side's submit; only a fault demonstration does. */
  readonly wrapNew?: (next: NewSide) => (submission: Submission) => Promise<WorkOrder>;
}

/**
 * Both queues behind one door. An order lives on exactly one side: the first to claim its id. Where it lives
 * decides who reads and cancels it; only for an id never seen does the route decide.
 */
export class Orders {
  readonly #options: OrdersOptions;
  readonly #claims = new Map<string, Side>();
  readonly #endedOnNew = new Map<string, WorkOrderStatus>();
  #old: OldQueue | undefined;
  readonly next: NewSide;
  readonly #submitNext: (submission: Submission) => Promise<WorkOrder>;

  constructor(options: OrdersOptions) {
    this.#options = options;
    this.next = new NewSide({
      workDir: options.workDir,
      warn: options.warn,
      onEnded: (order) => this.#onEndedOnNew(order),
      onReturn: () => {
        this.#readNew().catch((error: unknown) =>
          options.warn(`the new queue cannot be read: ${String(error)}`),
        );
      },
    });
    this.#submitNext = options.wrapNew?.(this.next) ?? ((submission) => this.next.call("submit", submission));
  }

  /** Opens what there is and finds out where every order lives. `withOld: false` once the old queue is retired. */
  async start({ withOld }: { withOld: boolean }): Promise<void> {
    await this.#readNew();
    if (withOld) {
      const { oldDir: dir, workDir, warn } = this.#options;
      this.#old = new OldQueue({
        dir,
        workDir,
        warn,
        statusElsewhere: (id) => this.#endedOnNew.get(id),
        onEnded: (order) => {
          if (order.parentId !== undefined) void this.#childEnded(order.parentId);
        },
      });
      this.#old.start();
      for (const { id } of this.#old.list()) this.#claims.set(id, "old");
      // Marked as handed over but not there: the process ended between the two writes.
      for (const id of this.#old.movedIds()) if (!this.#claims.has(id)) await this.move([id]);
    }
    await this.#readNew();
  }

  get old(): OldQueue | undefined {
    return this.#old;
  }

  /** The order and where it lives; undefined when nobody knows it. */
  async find(id: string): Promise<Placed | undefined> {
    const old = this.#old?.get(id);
    if (old !== undefined) return { side: "old", order: old };
    const order = await this.next.call("get", { id }, { wait: true });
    return order === null ? undefined : { side: "new", order };
  }

  async list(status: WorkOrderStatus | undefined): Promise<WorkOrder[]> {
    const here = this.#old?.list() ?? [];
    const known = new Set(here.map(({ id }) => id));
    const there = await this.next.call("list", null, { wait: true });
    const all = [...here, ...there.filter(({ id }) => !known.has(id))];
    return status === undefined ? all : all.filter((order) => order.status === status);
  }

  async cancel(id: string): Promise<WorkOrder | undefined> {
    if (this.#old?.get(id) !== undefined) return await this.#old.cancel(id);
    return (await this.next.call("cancel", { id }, { wait: true })) ?? undefined;
  }

  /** An id seen before answers with its order, wherever it lives. */
  async known(id: string): Promise<Placed | undefined> {
    return this.#claims.has(id) ? await this.find(id) : undefined;
  }

  /** The old side of the route. */
  async submitOld(submission: Submission): Promise<Placed> {
    const { id } = submission.order;
    if (this.#claims.get(id) === "new") {
      // The new side failed or was late. Only when it surely does not hold the order may the old queue take it.
      const stored = await this.next.call("settle", { id }, { wait: true });
      if (stored !== null) return { side: "new", order: stored };
    }
    if (this.#old === undefined) throw new Error("the old queue is retired");
    this.#claims.set(id, "old");
    try {
      return { side: "old", order: await this.#old.submit(submission) };
    } catch (error) {
      if (this.#old.get(id) === undefined) this.#claims.delete(id);
      throw error;
    }
  }

  /** The new side of the route. */
  async submitNew(submission: Submission): Promise<Placed> {
    const { id } = submission.order;
    const claim = this.#claims.get(id);
    if (claim === "old") return await this.submitOld(submission);
    this.#claims.set(id, "new");
    try {
      const order = await this.#submitNext(submission);
      assertSameOrder(submission, order);
      return { side: "new", order };
    } catch (error) {
      // Unknown outcome, or stored with a wrong answer: the claim stands until somebody settles it.
      const sure = !(error instanceof NewSideGone || error instanceof WrongAnswer);
      if (sure && this.#claims.get(id) === "new") this.#claims.delete(id);
      throw error;
    }
  }

  /** The new side's answer to a submit it does not carry out. */
  async intend(submission: Submission): Promise<Placed> {
    return { side: "new", order: await this.next.call("intend", submission) };
  }

  /** Hands waiting orders of the old queue to the new one. Repeating it does no harm. */
  async move(ids: readonly string[]): Promise<{ moved: string[]; notWaiting: string[] }> {
    const moved: string[] = [];
    const notWaiting: string[] = [];
    for (const id of ids) {
      const released = await this.#old?.release(id);
      if (released === undefined) {
        notWaiting.push(id);
        continue;
      }
      this.#claims.set(id, "new");
      await this.next.call("adopt", released, { wait: true });
      moved.push(id);
    }
    return { moved, notWaiting };
  }

  /** Takes back what was handed over and has not started. What has started ends where it is. */
  async moveBack(): Promise<{ returned: string[]; stay: string[] }> {
    const returned: string[] = [];
    const stay: string[] = [];
    for (const id of this.#old?.movedIds() ?? []) {
      if (await this.next.call("giveBack", { id }, { wait: true })) {
        this.#claims.set(id, "old");
        await this.#old?.takeBack(id);
        returned.push(id);
      } else {
        stay.push(id);
      }
    }
    return { returned, stay };
  }

  /** Copies the old queue's orders to the new side for reading; only ended ones unless `all`. */
  async importHistory({ all }: { all: boolean }): Promise<{ stored: number }> {
    const orders = (this.#old?.list() ?? []).filter(({ status }) => all || isEnded(status));
    return await this.next.call("importHistory", { orders }, { wait: true });
  }

  /** Lets go of the old queue. The caller has made sure that nothing in it is unfinished. */
  async retireOld(): Promise<void> {
    await this.importHistory({ all: true });
    const old = this.#old;
    this.#old = undefined;
    await old?.close({ kill: false });
  }

  async stop(): Promise<void> {
    await this.#old?.close({ kill: true });
    await this.next.stop();
  }

  /** Learns what the new side holds and what has ended there; parents that waited for it go on. */
  async #readNew(): Promise<void> {
    for (const order of await this.next.call("list", null, { wait: true })) {
      if (!this.#claims.has(order.id)) this.#claims.set(order.id, "new");
      if (this.#claims.get(order.id) === "new") this.#onEndedOnNew(order);
    }
  }

  #onEndedOnNew(order: WorkOrder): void {
    if (isEnded(order.status)) this.#endedOnNew.set(order.id, order.status);
    if (order.status === "waiting_for_children") void this.#childEnded(order.id);
    if (order.parentId !== undefined && isEnded(order.status)) void this.#childEnded(order.parentId);
  }

  /** Something a parent may have waited for has ended. */
  async #childEnded(parentId: string): Promise<void> {
    if (this.#claims.get(parentId) !== "new") return this.#old?.childEnded(parentId);
    try {
      const parent = await this.next.call("get", { id: parentId }, { wait: true });
      if (parent?.status !== "waiting_for_children") return;
      for (const childId of parent.childIds) {
        const child = await this.find(childId);
        if (child === undefined || !isEnded(child.order.status)) return;
      }
      await this.next.call("integrate", { id: parentId }, { wait: true });
    } catch (error) {
      // Asked again when the new side is back: it tells of every ended order once more.
      this.#options.warn(`parent ${parentId} waits on: ${String(error)}`);
    }
  }
}

/** The new side answered something else than the order that was submitted. */
export class WrongAnswer extends Error {}

function assertSameOrder({ order: asked }: Submission, answer: WorkOrder): void {
  const wrong = (Object.keys(asked) as (keyof typeof asked)[]).find(
    (field) => !isDeepStrictEqual(answer[field], asked[field]),
  );
  if (wrong !== undefined) throw new WrongAnswer(`expected ${wrong} as submitted, found another`);
  if (!statuses.includes(answer.status) || Number.isNaN(Date.parse(answer.createdAt)))
    throw new WrongAnswer(`expected one of the seven statuses and a time, found ${answer.status}`);
  if (answer.status !== "queued") throw new WrongAnswer(`expected a queued order, found ${answer.status}`);
}
