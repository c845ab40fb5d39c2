import type { Differing } from "../replayed-rows.ts";
import type { ExpectedOrders } from "../sqlite/expected-orders.ts";
import { arrays, type Program } from "./program.ts";
import type { Sql } from "./write-context.ts";

const page = 2_000;

type Link = readonly [leader: string, id: string];

const first: Link = ["", ""];

/**
 * Holds the links of orders against the events. One by which an order holds another up has to be there, lest that one waits
 * for ever; one more would let it begin early. Those of ended leaders may stand until claims have told the followers.
 */
export class OrderLinks {
  readonly #sql: Sql;
  readonly #follow: (newest: number) => Promise<ExpectedOrders>;

  /** @param follow what the events up to a position make of the orders */
  constructor(sql: Sql, follow: (newest: number) => Promise<ExpectedOrders>) {
    this.#sql = sql;
    this.#follow = follow;
  }

  async compare(turn: () => Promise<void>): Promise<Differing | undefined> {
    for (let after = first; ;) {
      await turn();
      const from = after;
      const { newest, found } = await this.#sql.read(() => standing(from));
      const expected = await this.#follow(newest);
      const last = found.length < page ? undefined : found.at(-1);
      const there = new Set(found.map((link) => JSON.stringify(link)));
      const missing = expected
        .links(from, last)
        .find(({ leader, id }) => !there.has(JSON.stringify([leader, id])));
      if (missing !== undefined)
        return {
          brokenAt: missing.seq,
          row: { ...row([missing.leader, missing.id]), expected: "a row", found: null },
        };
      const stray = found.find((link) => !expected.hasTold(link));
      if (stray !== undefined)
        return { brokenAt: newest, row: { ...row(stray), expected: null, found: "a row" } };
      if (last === undefined) return undefined;
      after = last;
    }
  }
}

const row = ([leader, id]: Link): { table: string; key: Record<string, string>; column: null } => ({
  table: "order_links",
  key: { leader, id },
  column: null,
});

/** The next links, and the end of the log that they belong to, by one statement. */
function* standing(after: Link): Program<{ readonly newest: number; readonly found: readonly Link[] }> {
  const rows = yield* arrays<readonly [newest: number, leader: string | null, id: string]>(
    `SELECT h.seq, l.leader, l.id FROM chain_head h LEFT JOIN (
       SELECT leader, id FROM order_links WHERE (leader, id) > (?, ?) ORDER BY leader, id LIMIT ?) AS l ON 1 = 1`,
    ...after,
    page,
  );
  const found = rows.flatMap(([, leader, id]): readonly Link[] => (leader === null ? [] : [[leader, id]]));
  return { newest: rows[0]?.[0] ?? 0, found };
}
