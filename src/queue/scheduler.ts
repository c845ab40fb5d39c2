import { asError, faultPoint, formatDuration, hasCode, type Timer } from "../core/index.ts";
import type { OrderRecord } from "../store/index.ts";
import { type Admission, admission } from "./capacity.ts";
import { Attempt, type AttemptHost } from "./attempt.ts";
import type { QueueContext } from "./context.ts";
import { Deadlines } from "./deadlines.ts";
import { type EndReason, preparingMs } from "./end-reason.ts";
import { Leases } from "./leases.ts";
import { checkedMemory, type CheckedReading, type MemoryReading } from "./memory.ts";
import { NextDue } from "./next-due.ts";
import { ReservedRoom } from "./reserved-room.ts";
import type { Sandbox } from "./sandboxes/sandbox.ts";
import type { Upkeep } from "./upkeep.ts";
import type { WorkerList } from "./worker-list.ts";

/** How long a reading of the machine's memory is good for. */
const readingMs = 200;

const timeGiven = (order: OrderRecord): number =>
  order.state === "PREPARING" ? preparingMs(order) : order.timeoutMs;

/** What a scheduler needs from the queue around it. */
export interface SchedulerParts {
  readonly workers: WorkerList;
  readonly upkeep: Upkeep;
  /** Submits what is due by the clock; resolves with the store's time of the next. */
  readonly schedules: () => Promise<number | undefined>;
  /** Called each time nothing runs and nothing was there to claim. */
  readonly idle: () => void;
}

/**
 * Pulls work: asks the store for no more than fits now, starts it, asks again at once while the answer was full
 * or when a slot came free. Otherwise it waits for the bell, the time the next order is due, or the poll.
 */
export class Scheduler implements AttemptHost {
  readonly attempts: Map<string, Attempt> = new Map();
  readonly sandboxes: Map<string, Sandbox> = new Map();
  /** Why the last look at the store failed; undefined when it did not. */
  trouble: string | undefined;
  readonly #context: QueueContext;
  readonly #parts: SchedulerParts;
  readonly #leases: Leases;
  readonly #deadlines: Deadlines<Attempt>;
  readonly #reserved: ReservedRoom;
  readonly #nextDue: NextDue;
  readonly #running = new Set<Attempt>();
  readonly #used = { slots: 0, memory: 0 };
  #kinds: readonly string[] = [];
  #starts: readonly string[] = [];
  #allDone: (() => void) | undefined;
  #stopped = false;
  #pulling = false;
  #pull: Promise<void> = Promise.resolve();
  #again = false;
  /** The last look failed, and the poll after it has not come yet. */
  #resting = false;
  #ringing = false;
  #ahead: Promise<void> | undefined;
  #aheadAgain = false;
  #room = false;
  /** Room came free since the last claim was sent. */
  #freed = false;
  /** The store's time when the last claim was sent: it takes up what is due until then. */
  #claimedAt = 0;
  #timer: Timer | undefined;
  #armedFor = 0;
  #lastStart = Number.NEGATIVE_INFINITY;
  #reading: (CheckedReading & { readonly at: number }) | undefined;

  constructor(context: QueueContext, parts: SchedulerParts) {
    this.#context = context;
    this.#parts = parts;
    this.#leases = new Leases(context);
    this.#deadlines = new Deadlines(context.settings.clock, (attempt) => attempt.end("timeout"));
    this.#reserved = new ReservedRoom(context, parts.workers, (kind) => this.sandboxes.has(kind));
    this.#nextDue = new NextDue(context, () => {
      // At its end a look asks by itself; a store in trouble is asked again at the poll.
      if (!this.#pulling && this.trouble === undefined) this.#lookAhead(this.#room);
    });
  }

  /** Kinds this worker takes. */
  get kinds(): readonly string[] {
    return this.#kinds;
  }

  get usedSlots(): number {
    return this.#used.slots;
  }

  /** Why nobody watches over the heartbeats. */
  get heartbeatTrouble(): string | undefined {
    return this.#leases.trouble;
  }

  add(kind: string, sandbox: Sandbox): void {
    this.sandboxes.set(kind, sandbox);
    this.#kinds = [...this.sandboxes.keys()];
    this.#starts = this.#kinds.filter((each) => this.sandboxes.get(each)?.instant === true);
  }

  /**
   * There may be something to do, or something that becomes due at another time than was known. `others`: by what another
   * process wrote.
   */
  ring(others: boolean = false): void {
    if (this.#stopped) return;
    this.#nextDue.rung(others);
    this.#begin();
  }

  #begin(): void {
    // A store in trouble is asked again at the poll, however often the bell rings.
    if (this.#stopped || this.#resting) return;
    if (this.#pulling) {
      this.#again = true;
      return;
    }
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#pulling = true;
    this.#pull = this.#look();
  }

  /**
   * Rings after all of this turn. What ends or is submitted in it is claimed for together, in the commit that records it:
   * the store gathers calls until its own turn, which it asks for later.
   */
  ringSoon(): void {
    if (this.#ringing || this.sandboxes.size === 0) return;
    this.#ringing = true;
    setImmediate(() => {
      this.#ringing = false;
      this.#begin();
    });
  }

  /** What is admitted now, from the last reading of the machine's memory (at most 0.2 s old). */
  admission(): Admission {
    return admission(this.#context.settings, this.#used, this.memory);
  }

  get memory(): MemoryReading {
    const { settings } = this.#context;
    const now = settings.clock.monotonic();
    if (this.#reading === undefined || now - this.#reading.at >= readingMs) {
      const before = this.#reading?.trouble;
      this.#reading = { at: now, ...checkedMemory(settings.readMemory) };
      const { trouble } = this.#reading;
      if (trouble !== undefined && trouble !== before)
        settings.log.warn("the memory of the machine is used instead of that of memory.read", {
          reason: trouble,
        });
    }
    return this.#reading.memory;
  }

  /** Why the last reading is not that of `memory.read`. */
  get memoryTrouble(): string | undefined {
    return this.#reading?.trouble;
  }

  /** No more claims; work that runs may end by itself within `waitMs`, then it is asked to. Resolves when all has ended. */
  async stop(why: EndReason, waitMs: number): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#nextDue.stop();
    await this.#pull;
    await this.#ahead;
    const endAll = (): void => {
      for (const attempt of this.attempts.values()) attempt.end(why);
    };
    if (waitMs <= 0) endAll();
    const timer = this.#context.settings.clock.after(waitMs, endAll);
    if (this.#running.size > 0) await new Promise<void>((resolve) => (this.#allDone = resolve));
    timer.cancel();
    await this.#parts.upkeep.settled();
    await this.#leases.stop();
  }

  /** Ends work whose claim the store does not have any more. */
  lookAtHeld(): Promise<void> {
    return this.#leases.lookAtHeld();
  }

  started(attempt: Attempt): void {
    const { order } = attempt;
    this.#deadlines.delete(attempt, preparingMs(order));
    if (attempt.working) this.#deadlines.add(attempt, order.timeoutMs);
  }

  ended(attempt: Attempt): void {
    const { order } = attempt;
    this.#deadlines.delete(attempt, timeGiven(order));
    this.#used.slots -= order.slots;
    this.#used.memory -= order.memory;
    this.#freed = true;
    this.ringSoon();
  }

  done(attempt: Attempt): void {
    const { id } = attempt.order;
    this.#running.delete(attempt);
    // After a lost lease the same order may be here again under a newer fence; that claim stays.
    if (this.attempts.get(id) === attempt) {
      this.attempts.delete(id);
      this.#leases.release(id);
    }
    if (this.#running.size > 0) return;
    this.#allDone?.();
    // A look under way sees by itself that nothing runs any more; one that came back empty needs no second. What the end
    // of this order has let in, the store rings for.
    if (this.#pulling) return;
    if (this.#freed) this.ring();
    else this.#parts.idle();
  }

  async #look(): Promise<void> {
    let room = false;
    let failed = false;
    try {
      do {
        this.#again = false;
        if (this.#stopped || this.sandboxes.size === 0) return;
        this.#parts.upkeep.look();
        if (this.#staggerLeft() > 0) continue;
        const { free } = this.admission();
        if (free.slots <= 0 || this.#reserved.keeps(free, this.attempts.size > 0)) continue;
        const { staggerMs, claimBatch } = this.#context.settings;
        const max = staggerMs > 0 ? 1 : Math.min(free.slots, claimBatch);
        this.#freed = false;
        room = (await this.#claim(free.slots, free.memory, max)) < max;
        if (!room) this.#again = true;
        this.trouble = undefined;
      } while (this.#again);
      if (this.attempts.size === 0) this.#parts.idle();
    } catch (error) {
      failed = true;
      this.#freed = true;
      this.#failed(error);
    } finally {
      this.#pulling = false;
      this.#resting = failed;
      if (this.#again && !failed) this.ring();
      else {
        this.#arm(undefined);
        if (!failed) this.#lookAhead(room);
      }
    }
  }

  /** What may take its time, beside the claims: new work must not wait for it. `room`: there is room for what becomes due. */
  #lookAhead(room: boolean): void {
    if (this.#stopped || this.sandboxes.size === 0) return;
    this.#room = room;
    if (this.#ahead !== undefined) {
      this.#aheadAgain = true;
      return;
    }
    this.#ahead = this.#seeWhatIsDue().finally(() => (this.#ahead = undefined));
  }

  async #seeWhatIsDue(): Promise<void> {
    try {
      do {
        this.#aheadAgain = false;
        await this.#reserved.look(this.admission().free);
        this.#arm(await this.#parts.schedules());
        if (this.#room) this.#arm(await this.#nextDue.after(this.#claimedAt));
      } while (this.#aheadAgain && !this.#stopped);
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.trouble = asError(error).message;
    this.#context.settings.log.error("the queue cannot claim work", { reason: this.trouble });
    if (hasCode(error, "CUTOVER_STORE_GONE")) this.#leases.endAll();
  }

  async #claim(slots: number, memory: number, max: number): Promise<number> {
    const { store, settings, worker, meter } = this.#context;
    const { name, leaseMs, tags, clock } = settings;
    const before = clock.monotonic();
    faultPoint("queue.claim.before");
    const capacity = { slots, memory, max, kinds: this.#kinds, starts: this.#starts, tags };
    this.#claimedAt = store.clock.now();
    const orders = await store.orders.claim(name, worker, capacity, leaseMs);
    faultPoint("queue.claim.after");
    const taken = clock.monotonic() - before;
    // As with work whose heartbeats do not come through: it would have to be over before it began.
    if (orders.length > 0 && taken >= (leaseMs * 2) / 3) {
      const reason = `claimed ${orders.length} orders and heard of it after ${formatDuration(taken)} of a lease of ${formatDuration(leaseMs)}; they go on when it is over`;
      settings.log.warn("the answer to a claim came too late", { reason });
      return orders.length;
    }
    if (orders.length > 0) this.#lastStart = clock.monotonic();
    for (const order of orders) {
      meter.count("claimed");
      if (order.state === "RUNNING") meter.count("started");
      const sandbox = this.sandboxes.get(order.kind);
      if (sandbox === undefined) continue; // Not asked for; its lease runs out and it goes back.
      const attempt = new Attempt(order, sandbox, this.#context);
      this.#used.slots += order.slots;
      this.#used.memory += order.memory;
      this.attempts.set(order.id, attempt);
      this.#reserved.given(order.id);
      this.#running.add(attempt);
      this.#leases.hold(attempt, before);
      this.#deadlines.add(attempt, timeGiven(order));
      void attempt.run(this);
    }
    return orders.length;
  }

  #staggerLeft(): number {
    const { clock, staggerMs } = this.#context.settings;
    return staggerMs === 0 ? 0 : this.#lastStart + staggerMs - clock.monotonic();
  }

  /** Looks again after a poll, or earlier: at `due`, a time of the store, or when the stagger allows the next start. */
  #arm(due: number | undefined): void {
    // A queue that only hands work in needs no timer, and one would keep its process alive.
    if (this.#stopped || this.#pulling || this.sandboxes.size === 0) return;
    const { settings, store } = this.#context;
    const waits = [settings.pollMs];
    if (due !== undefined) waits.push(Math.max(0, due - store.clock.now()));
    const stagger = this.#staggerLeft();
    if (stagger > 0) waits.push(stagger);
    const at = settings.clock.monotonic() + Math.min(...waits);
    if (this.#timer !== undefined && this.#armedFor <= at) return;
    this.#timer?.cancel();
    this.#armedFor = at;
    this.#timer = settings.clock.after(Math.min(...waits), () => {
      this.#timer = undefined;
      this.#resting = false;
      this.ring();
    });
  }
}
