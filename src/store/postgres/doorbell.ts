import { backoffDelay, type Clock, type Timer } from "../../core/index.ts";
import type { PgNotification } from "./driver.ts";
import { type Offer, readOffer } from "./offers.ts";
import type { Session } from "./session.ts";

/** What a process tells the others after its commits. */
export interface Ring {
  /** Position of the newest event. */
  readonly seq: number;
  /** Queues with new work; null when there are too many to name. */
  readonly queues: readonly string[] | null;
  /** Position of the first event, not told of before, that concerns others whether they follow or not. */
  readonly notable?: number | undefined;
  /** A new order that the commit was about. */
  readonly offer?: Offer | undefined;
}

export interface DoorbellOptions {
  readonly timers: Clock;
  readonly random: () => number;
  readonly channel: string;
  /** Tells this process from others: its own rings are not told to itself. */
  readonly self: string;
  readonly openListener: (hooks: {
    readonly lost: () => void;
    readonly notified: (message: PgNotification) => void;
  }) => Promise<Session>;
  /** Sends one notification; may fail. */
  readonly notify: (payload: string) => Promise<unknown>;
  readonly heard: (ring: Ring) => void;
  /** Whether somebody in this process wants to know soon of whatever others commit. */
  readonly follows: () => boolean;
  /** Something may have been missed: after a new connection, and every few seconds for safety. */
  readonly missed: () => void;
}

/** NOTIFY takes a lock that all notifying commits of the server share, so a process does it seldom: at once, then so far apart. */
const quietMs = 5;
/** What brings no work, and asks for nothing, is told that seldom while no other process follows what this one does. */
const slowMs = 250;
/** Polling is only the net below: `netMs` and up to as much again. A process also says then that it is there. */
const netMs = 3_000;
/** Whoever is there has answered a greeting by then: a program that submits and ends has no longer. */
const greetingMs = 1_000;
/** Who was not heard of for so long is gone. */
const goneMs = 5 * netMs;
/** Payloads of NOTIFY end at 8000 bytes. The server may write spaces between the members, and a longer position. */
const longestPayload = 6_000;
const reconnect = { base: 50, factor: 2, cap: 5_000, floor: 20, jitter: 1 };

/**
 * LISTEN and NOTIFY: wakes other processes and is woken by them. A process that knows of no other rings nobody: that
 * spares a statement a commit where there is only one.
 */
export class Doorbell {
  readonly #options: DoorbellOptions;
  #session: Session | undefined;
  /** Others, until when they count as there, and whether they follow. */
  readonly #others = new Map<string, { readonly until: number; readonly follows: boolean }>();
  #queues = new Set<string>();
  #notable: number | undefined;
  #seq = 0;
  /** When it asked last who is there. */
  #greetedAt = Number.POSITIVE_INFINITY;
  /** When others were told last, and when they are to be told again; local, monotonic. */
  #last = Number.NEGATIVE_INFINITY;
  #dueAt: number | undefined;
  #due: Timer | undefined;
  #net: Timer | undefined;
  #retry: Timer | undefined;
  #failures = 0;
  #connecting: Promise<void> | undefined;
  #closed = false;

  constructor(options: DoorbellOptions) {
    this.#options = options;
  }

  /** Connects; when that fails it goes on trying, with polling meanwhile. */
  start(): Promise<void> {
    this.#armNet();
    return this.#connect();
  }

  /**
   * What to tell others of a commit that is just being sent, to be sent right behind it: they hear of it half a round trip
   * earlier. Undefined when nobody is to be told now; `ring` then has to be called after the commit.
   */
  announce(told: Told): string | undefined {
    const now = this.#options.timers.monotonic();
    if (this.#session === undefined || !this.hasCompany() || this.#when(told) > now) return undefined;
    // Should the commit not get through, nobody would be told of these.
    if (this.#owes) return undefined;
    this.#add(told);
    return this.#payload({ ...this.#take(now), offer: told.offer });
  }

  /** Tells others of a commit of this process. */
  ring(told: Told): void {
    this.#seq = Math.max(this.#seq, told.seq);
    // Not listening, or only since a moment ago, it cannot know who is there.
    const isAlone = this.#options.timers.monotonic() >= this.#greetedAt + greetingMs && !this.hasCompany();
    if (this.#session !== undefined && isAlone) return;
    this.#add(told);
    this.#tellAt(this.#when(told));
  }

  /** The chain ends here: what was told of before, and lies behind it, is gone. */
  setBack(seq: number): void {
    this.#seq = Math.min(this.#seq, seq);
  }

  /** Somebody here begins to follow what others commit: they are to tell of it soon. */
  followed(): void {
    if (this.#session !== undefined) this.#sayHello({});
  }

  /** Work, and requests to cancel, that others were still to be told of are told before. */
  async close(): Promise<void> {
    this.#closed = true;
    const late = this.#session !== undefined && this.#due !== undefined;
    for (const timer of [this.#due, this.#net, this.#retry]) timer?.cancel();
    if (late && this.#owes) await this.#notify(this.#take(this.#options.timers.monotonic()));
    await this.#connecting;
    await this.#session?.end();
  }

  /** Others were not told yet of work, or of requests to cancel. */
  get #owes(): boolean {
    return this.#queues.size > 0 || this.#notable !== undefined;
  }

  /** The earliest time at which others may be told of a commit. */
  #when({ queues, notable }: Told): number {
    const soon = queues.length > 0 || notable !== undefined || this.#isFollowed();
    return this.#last + (soon ? quietMs : slowMs);
  }

  #add({ seq, queues, notable }: Told): void {
    this.#seq = Math.max(this.#seq, seq);
    for (const queue of queues) this.#queues.add(queue);
    this.#notable ??= notable;
  }

  /** Everything that others were not told of yet. */
  #take(now: number): Ring {
    const ring = { seq: this.#seq, queues: [...this.#queues], notable: this.#notable };
    this.#queues = new Set();
    this.#notable = undefined;
    this.#last = now;
    this.#due?.cancel();
    this.#due = undefined;
    return ring;
  }

  #tellAt(at: number): void {
    const { timers } = this.#options;
    const now = timers.monotonic();
    if (at <= now) return void this.#notify(this.#take(now));
    if (this.#due !== undefined && (this.#dueAt ?? 0) <= at) return;
    this.#due?.cancel();
    this.#dueAt = at;
    this.#due = timers.after(at - now, () => {
      this.#due = undefined;
      if (!this.#closed) void this.#notify(this.#take(timers.monotonic()));
    });
    this.#due.unref();
  }

  async #notify(ring: Ring & Partial<Greeting>): Promise<void> {
    // A ring that does not get through is made up for by the net of the others.
    await this.#options.notify(this.#payload(ring)).catch(() => {});
  }

  #payload(ring: Ring): string {
    const tell = (told: Ring): string => JSON.stringify({ from: this.#options.self, ...told });
    const { offer: _, ...short } = ring;
    const payloads = [ring, short].map(tell);
    const payload = payloads.find((one) => Buffer.byteLength(one) <= longestPayload);
    return payload ?? tell({ ...short, queues: null });
  }

  #sayHello(more: Pick<Greeting, "asks">): void {
    const greeting: Greeting = { hello: true, follows: this.#options.follows(), ...more };
    void this.#notify({ seq: this.#seq, queues: [], ...greeting });
  }

  /** Whether other processes have said that they are there. */
  hasCompany(): boolean {
    const now = this.#options.timers.monotonic();
    for (const { until } of this.#others.values()) if (until > now) return true;
    return false;
  }

  #isFollowed(): boolean {
    const now = this.#options.timers.monotonic();
    return [...this.#others.values()].some(({ until, follows }) => follows && until > now);
  }

  #connect(): Promise<void> {
    this.#connecting ??= this.#tryConnect().finally(() => (this.#connecting = undefined));
    return this.#connecting;
  }

  async #tryConnect(): Promise<void> {
    const { openListener, channel, missed } = this.#options;
    try {
      const session = await openListener({
        lost: () => this.#lost(),
        notified: (message) => this.#notified(message),
      });
      this.#session = session;
      await session.script(`LISTEN "${channel}"`);
      this.#failures = 0;
      // Others may know of this one by rings from before it listened.
      this.#greetedAt = this.#options.timers.monotonic();
      this.#sayHello({ asks: true });
      missed();
    } catch {
      this.#lost();
    }
  }

  #lost(): void {
    this.#session?.destroy("no longer listening");
    this.#session = undefined;
    if (this.#closed || this.#retry !== undefined) return;
    const { timers, random } = this.#options;
    this.#retry = timers.after(backoffDelay(reconnect, ++this.#failures, random), () => {
      this.#retry = undefined;
      if (!this.#closed) void this.#connect();
    });
    this.#retry.unref();
  }

  #notified({ payload }: PgNotification): void {
    const ring = readPayload(payload);
    if (ring === undefined || ring.from === this.#options.self) return;
    this.#meet(ring);
    this.#options.heard(ring);
  }

  #meet({ from, hello, asks, follows }: Heard): void {
    // A caller's transaction has no name: it listens to nothing.
    if (from === "") return;
    const { timers } = this.#options;
    const now = timers.monotonic();
    const before = this.#others.get(from);
    const known = before !== undefined && before.until > now;
    // Who was never greeted may follow.
    this.#others.set(from, { until: now + goneMs, follows: follows ?? (known ? before.follows : true) });
    if (!asks && (known || !hello)) return;
    // It has to know of this one too, and of what was committed here since it looked last.
    this.#sayHello({});
    void this.#notify({ seq: this.#seq, queues: null });
  }

  #armNet(): void {
    const { timers, random, missed } = this.#options;
    this.#net = timers.after(netMs * (1 + random()), () => {
      if (this.#closed) return;
      const now = timers.monotonic();
      for (const [other, { until }] of this.#others) if (until <= now) this.#others.delete(other);
      this.#sayHello({});
      missed();
      this.#armNet();
    });
    this.#net.unref();
  }
}

/** A commit of this process. */
export interface Told {
  readonly seq: number;
  readonly queues: readonly string[];
  readonly notable: number | undefined;
  /** Told when it is told at once: later it would be old. */
  readonly offer?: Offer | undefined;
}

/** That a process is there, and what it wants to hear. */
interface Greeting {
  readonly hello: true;
  readonly follows: boolean;
  /** It did not listen before: who is there is to greet it, too. */
  readonly asks?: true;
}

interface Heard extends Ring {
  readonly from: string;
  readonly hello: boolean;
  readonly asks: boolean;
  /** Undefined in a ring that says nothing of it. */
  readonly follows: boolean | undefined;
}

/** Anybody may notify on the channel: what cannot be read is no ring. */
function readPayload(payload: string | undefined): Heard | undefined {
  try {
    const { from, seq, queues, notable, hello, asks, follows, offer } = JSON.parse(payload ?? "") as Record<
      string,
      unknown
    >;
    if (typeof from !== "string" || typeof seq !== "number") return undefined;
    const named = Array.isArray(queues) ? queues.filter((queue) => typeof queue === "string") : null;
    return {
      from,
      seq,
      queues: named,
      notable: typeof notable === "number" ? notable : undefined,
      hello: hello === true,
      asks: asks === true,
      follows: typeof follows === "boolean" ? follows : undefined,
      offer: readOffer(offer),
    };
  } catch {
    return undefined;
  }
}
