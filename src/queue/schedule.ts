import { faultPoint, isCutoverError, type JsonObject, lastTime } from "../core/index.ts";
import type { ScheduleRecord } from "../store/index.ts";
import { forCall } from "./calls.ts";
import type { QueueContext } from "./context.ts";
import { plainJson } from "./plain-json.ts";
import { scheduleTimes, type ScheduleWhen, storedTimes } from "./schedule-time.ts";
import { invalid } from "./settings.ts";
import { newOrder, type Submission, type SubmitOptions, submitOptions } from "./submission.ts";

/** What can be said about the orders of a schedule: all of a submit but what is made for each of them. */
export type ScheduleOptions = Omit<SubmitOptions, (typeof ownMembers)[number]>;

/** Made for each order, or meant for a single one. */
const ownMembers = ["key", "keyFor", "id", "runAt", "createdAt", "after", "ifAfterFails", "carrier"] as const;

const nameShape = /^[\w.:/-]{1,100}$/;

/**
 * Orders that are submitted again and again. Every worker of the queue looks; the order of each time has a key of its
 * own (`schedule:NAME:TIME`), so it exists once however many look, and however they crash between submitting it and
 * moving the schedule on.
 *
 * The scheduler calls `run` in each of its looks at the store and comes back no later than at the time it gives.
 * The queue hands `schedule`, `unschedule` and `schedules` through to `set`, `remove` and `list`.
 */
export class Schedules {
  readonly #context: QueueContext;
  /** That of `set`, `remove` and `list`. */
  readonly #calls: QueueContext;
  readonly #submit: (submission: Submission) => Promise<unknown>;
  #lookAt = Number.NEGATIVE_INFINITY;
  #dueAt: number | undefined;

  /** @param submit stores one order like `Queue.submit`, telemetry included, however many wait already */
  constructor(context: QueueContext, submit: (submission: Submission) => Promise<unknown>) {
    this.#context = context;
    this.#calls = forCall(context);
    this.#submit = submit;
  }

  /**
   * Stores a schedule or replaces the one of that name. Said again with the same times, as every worker does at its
   * start, it keeps its next time: restarts neither skip a time nor put it off.
   * @throws CUTOVER_QUEUE_INVALID naming the field · CUTOVER_QUEUE_TOO_LARGE
   */
  async set(
    name: string,
    when: ScheduleWhen,
    kind: string,
    payload?: unknown,
    options: ScheduleOptions = {},
  ): Promise<ScheduleRecord> {
    scheduleName(name);
    const order = this.#order(kind, payload, options);
    const { store, settings } = this.#calls;
    const times = scheduleTimes(when);
    const { text, timezone } = times;
    const first = times.first(store.clock.now());
    const known = (await this.list()).find((other) => other.name === name);
    const same = known?.when === text && known.timezone === timezone;
    const record = { when: text, timezone, order, nextAt: same ? known.nextAt : first };
    await store.orders.setSchedule(settings.name, name, record);
    this.#lookAt = Number.NEGATIVE_INFINITY;
    return { name, queue: settings.name, ...record };
  }

  /** False when there was none. Orders that were submitted already stay. */
  async remove(name: string): Promise<boolean> {
    scheduleName(name);
    const { store, settings } = this.#calls;
    const known = (await this.list()).some((other) => other.name === name);
    if (known) await store.orders.setSchedule(settings.name, name, undefined);
    return known;
  }

  list(): Promise<readonly ScheduleRecord[]> {
    return this.#calls.store.orders.schedules(this.#calls.settings.name);
  }

  /**
   * Submits what is due. Resolves with the store's time at which the next one is; undefined when there is none. Reads
   * the store at most once a poll, or when something is due. Never rejects for a single schedule: its order is tried
   * again at the next poll.
   */
  async run(): Promise<number | undefined> {
    const { settings, store } = this.#context;
    const monotonic = settings.clock.monotonic();
    const now = store.clock.now();
    if (monotonic < this.#lookAt && (this.#dueAt === undefined || now < this.#dueAt)) return this.#dueAt;
    // Before the answer: what is set meanwhile is looked at again.
    this.#lookAt = monotonic + settings.pollMs;
    try {
      let dueAt: number | undefined;
      for (const schedule of await store.orders.schedules(settings.name)) {
        const next = await this.#runOne(schedule, now);
        if (next !== undefined && (dueAt === undefined || next < dueAt)) dueAt = next;
      }
      return (this.#dueAt = dueAt);
    } catch (error) {
      this.#lookAt = Number.NEGATIVE_INFINITY;
      throw error;
    }
  }

  /** The time at which to look at it again; undefined when it has ended. */
  async #runOne(schedule: ScheduleRecord, now: number): Promise<number | undefined> {
    if (schedule.nextAt > now) return schedule.nextAt;
    const { settings, store } = this.#context;
    const { name, nextAt } = schedule;
    try {
      const times = storedTimes(schedule);
      // After a pause only the newest missed time counts: ten missed hours are not made up for by ten orders.
      const at = times.newest(nextAt, now);
      const next = times.after(at);
      faultPoint("queue.schedule.before-submit");
      await this.#submit({
        ...(schedule.order as unknown as Submission),
        key: `schedule:${name}:${new Date(at).toISOString()}`,
        runAt: at,
      });
      faultPoint("queue.schedule.after-submit");
      const moved = await store.orders.advanceSchedule(settings.name, name, nextAt, next ?? lastTime);
      faultPoint("queue.schedule.after-advance");
      if (next === undefined && moved) await this.#end(name);
      return next;
    } catch (error) {
      settings.log.warn(`the order of schedule ${name} could not be submitted; tried again`, {
        schedule: name,
        code: isCutoverError(error) ? error.code : "CUTOVER_INTERNAL",
        reason: String(error),
      });
      return now + settings.pollMs;
    }
  }

  /** No further time comes: left as it is it would be due for ever. */
  async #end(name: string): Promise<void> {
    const { settings, store } = this.#context;
    await store.orders.setSchedule(settings.name, name, undefined);
    settings.log.warn(`schedule ${name} has ended: it has no further time`, { schedule: name });
  }

  /** The order as stored: refused here when none of them could be submitted later. */
  #order(kind: string, payload: unknown, options: ScheduleOptions): JsonObject {
    submitOptions(options);
    const given: Readonly<Record<string, unknown>> = options;
    for (const member of ownMembers) {
      if (given[member] !== undefined)
        throw invalid(member, "nothing: each order of a schedule is given its own", given[member]);
    }
    const submission = { ...options, kind, ...(payload === undefined ? {} : { payload }) };
    newOrder(submission, this.#context.settings, this.#context.store.clock.now());
    return plainJson(submission, "schedule", this.#context.settings.payloadLimit) as JsonObject;
  }
}

function scheduleName(name: string): void {
  if (typeof name !== "string" || !nameShape.test(name))
    throw invalid("schedule", "a name of 1–100 letters, digits and . : / _ -", name);
}
