import type { Json } from "../../core/index.ts";
import type {
  CancelRequest,
  MovedOrder,
  OrderEvent,
  PrioritisedOrder,
  QueueConfigured,
  SubmittedOrder,
} from "../order-events.ts";
import { toldOnce } from "../orders-told.ts";
import { roughBytes } from "./weight.ts";

/** One thing that happened to one order, before it has a place in the log. */
export type Told =
  | { readonly type: "orders.submitted"; readonly entry: SubmittedOrder }
  | { readonly type: "orders.transition"; readonly event: string; readonly entry: MovedOrder }
  | { readonly type: "orders.cancel-requested"; readonly entry: CancelRequest }
  | { readonly type: "orders.prioritised"; readonly entry: PrioritisedOrder };

interface Group {
  readonly index: number;
  readonly stream: string;
  readonly type: Told["type"];
  readonly event: string;
  readonly entries: Told["entry"][];
  bytes: number;
  /** The event as it was put together last, and of how many entries. */
  made: { readonly of: number; readonly event: OrderEvent } | undefined;
}

/** Most orders, and about the most bytes, that one event tells of: an event is read, hashed and sent as a whole. */
const mostOrders = 500;
const mostBytes = 1_000_000;

/**
 * Puts what happened in one commit into as few events as possible. An order's own events keep their sequence: an entry
 * joins the newest group of its kind only when no group opened after that one holds an order it concerns.
 */
export class EventGroups {
  readonly #groups: (
    Group | { readonly index: number; readonly stream: string; readonly configured: QueueConfigured }
  )[] = [];
  /** By stream, then by event or type: keys that are put together for every order would cost more than the rest. */
  readonly #newest = new Map<string, Map<string, Group>>();
  readonly #last = new Map<string, number>();

  /** Adds an entry; the index of its event. `alsoConcerns`: orders whose later events must not come before it. */
  add(stream: string, told: Told, alsoConcerns: readonly string[] = []): number {
    const event = told.type === "orders.transition" ? told.event : "";
    const bytes = entryBytes(told.entry);
    const kind = event === "" ? told.type : event;
    let kinds = this.#newest.get(stream);
    if (kinds === undefined) this.#newest.set(stream, (kinds = new Map()));
    let group = kinds.get(kind);
    let latest = this.#last.get(told.entry.id) ?? -1;
    for (const id of alsoConcerns) latest = Math.max(latest, this.#last.get(id) ?? -1);
    if (
      group === undefined ||
      group.index < latest ||
      group.entries.length >= mostOrders ||
      group.bytes + bytes > mostBytes
    ) {
      const index = this.#groups.length;
      group = { index, stream, type: told.type, event, entries: [], bytes: 0, made: undefined };
      this.#groups.push(group);
      kinds.set(kind, group);
    }
    group.entries.push(told.entry);
    group.bytes += bytes;
    this.#last.set(told.entry.id, group.index);
    for (const id of alsoConcerns) this.#last.set(id, group.index);
    return group.index;
  }

  addConfigured(stream: string, configured: QueueConfigured): void {
    this.#groups.push({ index: this.#groups.length, stream, configured });
  }

  events(): readonly { readonly stream: string; readonly event: OrderEvent }[] {
    return this.#first(this.#groups.length);
  }

  /** All but the newest: that one may still grow, and would be put together in vain. */
  eventsBeforeNewest(): readonly { readonly stream: string; readonly event: OrderEvent }[] {
    return this.#first(Math.max(0, this.#groups.length - 1));
  }

  #first(count: number): readonly { readonly stream: string; readonly event: OrderEvent }[] {
    return this.#groups.slice(0, count).map((group) => {
      const { stream } = group;
      if ("configured" in group)
        return { stream, event: { type: "queue.configured", data: group.configured } };
      return { stream, event: eventOf(group) };
    });
  }
}

/** Large submits ask again and again for what is complete already. */
function eventOf(group: Group): OrderEvent {
  const { type, event, entries, made } = group;
  if (made?.of === entries.length) return made.event;
  const told = toldOnce(entries);
  const data = type === "orders.transition" ? { event, ...told } : told;
  // Entries were sorted into groups by their type.
  const whole = { type, data } as unknown as OrderEvent;
  group.made = { of: entries.length, event: whole };
  return whole;
}

/** About how long an entry is as text; an order without payload and result counts 300. */
function entryBytes(entry: Told["entry"]): number {
  if ("payload" in entry) return 300 + roughBytes(entry.payload) + roughBytes(entry.carrier);
  if (!("set" in entry) || entry.set === undefined) return 300;
  const { result, error, progress, sandbox } = entry.set;
  return (
    300 +
    roughBytes(result) +
    roughBytes(error as Json | undefined) +
    roughBytes(progress) +
    roughBytes(sandbox)
  );
}
