import { preparedText } from "./statement-text.ts";
import type { Columns } from "./trip.ts";

/** A statement as it goes out this time. */
export interface PreparedStatement {
  readonly sql: string;
  readonly text: string;
  /** Empty when it is not kept. */
  readonly name: string;
  /** The server is to be told its text. */
  readonly isNew: boolean;
  /** Undefined until the server has told them. */
  readonly columns: Columns | undefined;
}

/** What one connection keeps prepared. */
export class PreparedStatements {
  /** Known to the server, by their text. */
  readonly #ready = new Map<string, PreparedStatement>();
  /** On their way: whether the server gets to know them is not known yet. */
  readonly #sent = new Set<string>();
  /** A name whose statement failed may be taken or not: it is not used again. */
  #failures = 0;
  readonly #schema: string;

  constructor(schema: string) {
    this.#schema = schema;
  }

  take(sql: string): PreparedStatement {
    const ready = this.#ready.get(sql);
    if (ready !== undefined) return ready;
    const { text, name } = preparedText(sql, this.#schema);
    const kept = name !== undefined && !this.#sent.has(sql);
    if (kept) this.#sent.add(sql);
    const suffix = this.#failures === 0 ? "" : `_${this.#failures}`;
    return { sql, text, name: kept ? `${name}${suffix}` : "", isNew: true, columns: undefined };
  }

  worked(one: PreparedStatement, columns: Columns): void {
    if (!one.isNew || one.name === "") return;
    this.#sent.delete(one.sql);
    this.#ready.set(one.sql, { ...one, isNew: false, columns });
  }

  failed(one: PreparedStatement): void {
    if (!one.isNew || one.name === "") return;
    this.#sent.delete(one.sql);
    this.#failures++;
  }
}
