import { backoffDelay, type Clock, type Timer } from "../../core/index.ts";
import type { PgNotification } from "./driver.ts";
import type { Session } from "./session.ts";

/** What a process tells the others after its commits. */
export interface Ring {
  /** Position of the newest event. */
  readonly seq: number;
  /** Queues with new work; null when there are too many to name. */
  readonly queues: readonly string[] | null;
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
  /** Something may have been missed: after a new connection, and every few seconds for safety. */
  readonly missed: () => void;
}

/** NOTIFY takes a lock that all notifying commits of the server share, so a process does it seldom: at once, then so far apart. */
const quietMs = 5;
/** Polling is only the net below: `netMs` and up to as much again. A process also says then that it is there. */
const netMs = 3_000;
/** Who was not heard of for so long is gone. */
const goneMs = 5 * netMs;
/** Payloads of NOTIFY end at 8000 bytes. */
const longestPayload = 7_000;
const reconnect = { base: 50, factor: 2, cap: 5_000, floor: 20, jitter: 1 };

/**
 * LISTEN and NOTIFY: wakes other processes and is woken by them. A process that knows of no other rings nobody: that
 * spares a statement a commit where there is only one.
 */
export class Doorbell {
  readonly #options: DoorbellOptions;
  #session: Session | undefined;
  /** Others, and until when they count as there. */
  readonly #others = new Map<string, number>();
  #queues = new Set<string>();
  #seq = 0;
  #due = false;
  #quiet: Timer | undefined;
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
  announce(seq: number, queues: readonly string[]): string | undefined {
    if (this.#session === undefined || this.#quiet !== undefined || !this.#hasCompany()) return undefined;
    const payload = this.#payload({ seq, queues: [...this.#queues, ...queues] });
    this.#queues = new Set();
    this.#due = false;
    this.#rest();
    return payload;
  }

  /** Tells others of a commit of this process. */
  ring(seq: number, queues: readonly string[]): void {
    this.#seq = Math.max(this.#seq, seq);
    // Not listening, it cannot know who is there.
    if (this.#session !== undefined && !this.#hasCompany()) return;
    for (const queue of queues) this.#queues.add(queue);
    this.#due = true;
    if (this.#quiet === undefined) this.#send();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of [this.#quiet, this.#net, this.#retry]) timer?.cancel();
    await this.#connecting;
    await this.#session?.end();
  }

  #send(): void {
    this.#due = false;
    this.#notify({ seq: this.#seq, queues: [...this.#queues] });
    this.#queues = new Set();
    this.#rest();
  }

  #rest(): void {
    const { timers } = this.#options;
    this.#quiet = timers.after(quietMs, () => {
      this.#quiet = undefined;
      if (this.#due && !this.#closed) this.#send();
    });
    this.#quiet.unref();
  }

  #notify(ring: Ring & { readonly hello?: true }): void {
    // A ring that does not get through is made up for by the net of the others.
    this.#options.notify(this.#payload(ring)).catch(() => {});
  }

  #payload(ring: Ring): string {
    const tell = (told: Ring): string => JSON.stringify({ from: this.#options.self, ...told });
    const payload = tell(ring);
    return Buffer.byteLength(payload) <= longestPayload ? payload : tell({ ...ring, queues: null });
  }

  #sayHello(): void {
    this.#notify({ seq: this.#seq, queues: [], hello: true });
  }

  #hasCompany(): boolean {
    const now = this.#options.timers.monotonic();
    for (const [other, until] of this.#others) {
      if (until > now) return true;
      this.#others.delete(other);
    }
    return false;
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
      this.#sayHello();
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

  #meet({ from, hello }: Heard): void {
    // A caller's transaction has no name: it listens to nothing.
    if (from === "") return;
    const { timers } = this.#options;
    const known = (this.#others.get(from) ?? 0) > timers.monotonic();
    this.#others.set(from, timers.monotonic() + goneMs);
    if (known || hello !== true) return;
    // It has to know of this one too, and of what was committed here since it looked last.
    this.#sayHello();
    this.#notify({ seq: this.#seq, queues: null });
  }

  #armNet(): void {
    const { timers, random, missed } = this.#options;
    this.#net = timers.after(netMs * (1 + random()), () => {
      if (this.#closed) return;
      this.#sayHello();
      missed();
      this.#armNet();
    });
    this.#net.unref();
  }
}

interface Heard extends Ring {
  readonly from: string;
  readonly hello: boolean;
}

/** Anybody may notify on the channel: what cannot be read is no ring. */
function readPayload(payload: string | undefined): Heard | undefined {
  try {
    const { from, seq, queues, hello } = JSON.parse(payload ?? "") as Record<string, unknown>;
    if (typeof from !== "string" || typeof seq !== "number") return undefined;
    const named = Array.isArray(queues) ? queues.filter((queue) => typeof queue === "string") : null;
    return { from, seq, queues: named, hello: hello === true };
  } catch {
    return undefined;
  }
}
