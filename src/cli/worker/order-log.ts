import type { Clock, Timer } from "../../core/index.ts";
import { count } from "../../report/index.ts";
import {
  type MovedOrder,
  type OrderState,
  ordersTold,
  type OrdersTransition,
  type Store,
  type StoredEvent,
} from "../../store/index.ts";
import { type Line, span } from "../draw/line.ts";
import { orderFaces } from "../draw/order-face.ts";
import { pad } from "../draw/text-width.ts";

/** One thing that happened to an order here. */
interface Said {
  readonly at: number;
  readonly queue: string;
  readonly event: string;
  readonly id: string;
  readonly to: OrderState;
  readonly attempt: number;
  readonly note: string;
}

export interface OrderLogParts {
  readonly store: Store;
  readonly clock: Clock;
  /** Names of this process in the record. */
  readonly workers: ReadonlySet<string>;
  readonly json: boolean;
  readonly line: (line: Line) => void;
  readonly document: (value: unknown) => void;
}

/** What is told; claims, progress and the store's own moves are not. */
const told: ReadonlySet<string> = new Set([
  "started",
  "completed",
  "retry-scheduled",
  "failed",
  "exhausted",
  "poisoned",
  "lost",
  "released",
  "cancelled",
]);

/** What happens is told together so often; more than so many at a time as one line of counts. */
const gatherMs = 250;
const mostLines = 12;

/** Tells what this process does with orders: a line each while they are few, counts when they are many. */
export class OrderLog {
  readonly #parts: OrderLogParts;
  readonly #off: () => void;
  /** Orders held here, by id: an order that leaves its worker no longer names it. */
  readonly #held = new Set<string>();
  #gathered: Said[] = [];
  #timer: Timer | undefined;
  #flushing: Promise<void> = Promise.resolve();

  constructor(parts: OrderLogParts) {
    this.#parts = parts;
    this.#off = parts.store.events.subscribe((events) => this.#hear(events), { others: false });
  }

  async stop(): Promise<void> {
    this.#off();
    this.#timer?.cancel();
    await this.#flushing;
    await this.#flush();
  }

  #hear(events: readonly StoredEvent[]): void {
    for (const { type, at, stream, data } of events) {
      if (type !== "orders.transition") continue;
      const transition = data as unknown as OrdersTransition;
      const { event } = transition;
      const queue = stream.slice("queue:".length);
      for (const moved of ordersTold(transition)) this.#move(moved, { at, queue, event });
    }
    if (this.#gathered.length > 0) this.#timer ??= this.#parts.clock.after(gatherMs, () => this.#due());
  }

  #move(moved: MovedOrder, { at, queue, event }: Pick<Said, "at" | "queue" | "event">): void {
    const { id, to, worker, attempt, set, note = "" } = moved;
    const ours = (worker !== null && this.#parts.workers.has(worker)) || this.#held.has(id);
    if (!ours) return;
    if (to === "PREPARING" || to === "RUNNING") this.#held.add(id);
    else this.#held.delete(id);
    if (!told.has(event)) return;
    const error = set?.error;
    const why = error === undefined || error === null ? note : `${error.code}: ${error.message}`;
    this.#gathered.push({ at, queue, event, id, to, attempt, note: why });
  }

  #due(): void {
    this.#timer = undefined;
    this.#flushing = this.#flushing.then(() => this.#flush());
  }

  async #flush(): Promise<void> {
    const said = this.#gathered;
    this.#gathered = [];
    const { json, document, line, store } = this.#parts;
    if (json) {
      for (const each of said) document({ type: "order", ...each });
      return;
    }
    if (said.length > mostLines) {
      line(countsLine(said));
      return;
    }
    for (const each of said) {
      // A store that does not answer keeps no line back, and its error is told by who needs the answer.
      const order = await store.orders.get(each.id).catch(() => undefined);
      line(orderLine(each, order?.kind ?? ""));
    }
  }
}

const time = (at: number): string => new Date(at).toISOString().slice(11, 19);

function orderLine({ at, event, id, to, attempt, note }: Said, kind: string): Line {
  const face = orderFaces[to];
  const says = [kind, attempt > 1 ? `attempt ${attempt}` : "", note].filter((part) => part !== "");
  return [
    span(`${time(at)}  `, "dim"),
    span(`${face.mark} `, face.tone),
    span(pad(event, 15)),
    span(` ${id}`, "bold"),
    span(`  ${says.join(" · ")}`),
  ];
}

function countsLine(said: readonly Said[]): Line {
  const counts = new Map<string, number>();
  for (const { event } of said) counts.set(event, (counts.get(event) ?? 0) + 1);
  const parts = [...counts].map(([event, n]) => `${count(n)} ${event}`);
  return [span(`${time(said.at(-1)?.at ?? 0)}  `, "dim"), span("● ", "busy"), span(parts.join(" · "))];
}
