import type { JsonObject } from "../../core/index.ts";
import type { Writes } from "../orders/order-io.ts";
import { isHeld, type OrderRow } from "../orders/row.ts";

interface Known {
  readonly row: OrderRow;
  /** As text: the objects are in the hands of submitters and of the work, who may change them. */
  readonly payload: string | null;
  readonly carrier: string | null;
}

/** Waiting orders: the first that came are claimed first, so later ones find no place. About 20 MB at most. */
const mostWaiting = 4_000;
const longestPayload = 4_096;

/**
 * Orders that wait for a worker or are held, as this connection's own commits left them: to read one again would only
 * bring what is known. Valid as long as no other connection has committed; SQLite counts that
 * (`PRAGMA data_version`), exactly so inside a transaction.
 */
export class KnownRows {
  readonly #rows = new Map<string, Known>();
  #version = -1;

  /** `version`: SQLite's count, asked inside the transaction that is going to read. */
  begin(version: number): void {
    if (version !== this.#version) this.forget();
    this.#version = version;
  }

  get(id: string): OrderRow | undefined {
    const known = this.#rows.get(id);
    if (known === undefined) return undefined;
    const { row, payload, carrier } = known;
    if (payload === null && carrier === null) return row;
    return {
      ...row,
      payload: payload === null ? row.payload : JSON.parse(payload),
      carrier: carrier === null ? row.carrier : (JSON.parse(carrier) as JsonObject),
    };
  }

  /** After the commit of these. */
  wrote(writes: Writes): void {
    for (const { row } of writes.updated) this.#keep(row);
    for (const row of writes.inserted) this.#keep(row);
  }

  /** Something else was written than the outcome of a batch, or nobody knows what was. */
  forget(): void {
    this.#rows.clear();
  }

  #keep(row: OrderRow): void {
    const { id } = row;
    if (!isHeld(row.state) && (row.waits !== "room" || this.#rows.size >= mostWaiting)) {
      this.#rows.delete(id);
      return;
    }
    const payload =
      typeof row.payload === "object" && row.payload !== null ? JSON.stringify(row.payload) : null;
    if (payload !== null && payload.length > longestPayload) this.#rows.delete(id);
    else
      this.#rows.set(id, {
        row,
        payload,
        carrier: row.carrier === null ? null : JSON.stringify(row.carrier),
      });
  }
}
