import type { ChainEnd } from "../chain-draft.ts";
import type { Needs } from "../orders/order-io.ts";
import type { Answer, Statement } from "../sql/program.ts";
import { textArray } from "./arrays.ts";
import { askedTogether } from "./joined.ts";
import { askFacts, type Cells, type FoundFacts, takeFact } from "./order-facts.ts";

/** Of what a process knows something. */
export interface KnownFacts extends Pick<Needs, "lanes" | "counts" | "configs"> {
  /** Orders it holds, and the transaction that must still be the last to have written each. */
  readonly held: readonly { readonly id: string; readonly xact: string }[];
}

/** How it stands at one end of the chain. */
export interface StandingFacts {
  readonly end: ChainEnd;
  /** Time of the newest event. */
  readonly at: number;
  /** What does not exist is left out. */
  readonly facts: FoundFacts;
  /** Orders held that somebody else has written since, or removed. */
  readonly changed: ReadonlySet<string>;
}

/** One statement, so that all of its answer is of one moment. */
export function askStanding({ lanes, counts, configs, held }: KnownFacts): Statement {
  const parts: Statement[] = [
    {
      sql: `SELECT 'head', encode(hash, 'hex'), NULL::text, seq,
        (SELECT at FROM events WHERE events.seq = chain_head.seq) FROM chain_head`,
      values: [],
      wants: "arrays",
    },
    ...askFacts({ lanes, counts, configs }),
  ];
  if (held.length > 0) {
    parts.push({
      sql: `SELECT 'held', known.id, NULL::text, NULL::bigint, NULL::bigint
        FROM unnest($1::text[], $2::xid[]) AS known (id, xact)
        LEFT JOIN orders ON orders.id = known.id WHERE orders.xmin IS DISTINCT FROM known.xact`,
      values: [textArray(held.map(({ id }) => id)), textArray(held.map(({ xact }) => xact))],
      wants: "arrays",
    });
  }
  const [statement] = askedTogether(parts) as readonly [Statement];
  return statement;
}

/** Undefined when the chain has no end to go on from. */
export function readStanding(answer: Answer): StandingFacts | undefined {
  const facts: FoundFacts = { lanes: [], fronts: [], counts: new Map(), configs: [] };
  const changed = new Set<string>();
  let end: ChainEnd | undefined;
  let at = 0;
  for (const row of answer.rows) {
    const cells = row as unknown as Cells;
    if (cells[0] === "head") {
      end = { seq: cells[3] as number, hash: cells[1] as string };
      at = (cells[4] as number | null) ?? 0;
    } else if (cells[0] === "held") changed.add(cells[1] as string);
    else takeFact(cells, facts);
  }
  return end === undefined ? undefined : { end, at, facts, changed };
}
