import type { JsonObject } from "../../core/index.ts";
import { isHeld, type OrderRow } from "../orders/row.ts";

interface HeldRow {
  readonly row: OrderRow;
  /** Transaction that wrote it, as `xmin` shows it. */
  readonly xact: string;
  /** As text: the objects are in the hands of whoever does the work, who may change them. */
  readonly payload: string | null;
  readonly carrier: string | null;
}

/** More than one worker holds; the oldest go first. A payload beyond this is not worth its memory. */
const mostRows = 10_000;
const longestPayload = 16_384;

/**
 * Orders that this process holds, as its own commits left them. Loading one again would only bring what is known: the
 * database is asked whether somebody else has written the row since, by its `xmin`, and for the row only if so.
 */
export class HeldRows {
  readonly #rows = new Map<string, HeldRow>();

  /** The row, and the transaction that must still be its last. */
  get(id: string): { readonly row: OrderRow; readonly xact: string } | undefined {
    const held = this.#rows.get(id);
    if (held === undefined) return undefined;
    const { row, xact, payload, carrier } = held;
    return {
      xact,
      row: {
        ...row,
        payload: payload === null ? row.payload : JSON.parse(payload),
        carrier: carrier === null ? null : (JSON.parse(carrier) as JsonObject),
      },
    };
  }

  has(id: string): boolean {
    return this.#rows.has(id);
  }

  /** The row for a look at what is not JSON: payload and carrier may have been changed by whoever does the work. */
  peek(id: string): OrderRow | undefined {
    return this.#rows.get(id)?.row;
  }

  /** Transaction that must still be the last to have written the row. */
  xactOf(id: string): string | undefined {
    return this.#rows.get(id)?.xact;
  }

  /** After the commit of `xact`, which wrote these rows last. */
  wrote(rows: Iterable<OrderRow>, xact: string): void {
    const xmin = String(BigInt(xact) & 0xffff_ffffn);
    for (const row of rows) {
      this.#rows.delete(row.id);
      if (isHeld(row.state)) this.#keep(row, xmin);
    }
  }

  forget(rows: Iterable<OrderRow>): void {
    for (const { id } of rows) this.#rows.delete(id);
  }

  forgetAll(): void {
    this.#rows.clear();
  }

  #keep(row: OrderRow, xact: string): void {
    const payload = typeof row.payload === "object" ? JSON.stringify(row.payload) : null;
    if (payload !== null && payload.length > longestPayload) return;
    const carrier = row.carrier === null ? null : JSON.stringify(row.carrier);
    this.#rows.set(row.id, { row, xact, payload, carrier });
    if (this.#rows.size <= mostRows) return;
    const [oldest] = this.#rows.keys();
    if (oldest !== undefined) this.#rows.delete(oldest);
  }
}
