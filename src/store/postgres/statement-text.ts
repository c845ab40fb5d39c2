import { createHash } from "node:crypto";

/** A statement as PostgreSQL wants it: numbered values, and the name under which each connection keeps it prepared. */
export interface PreparedText {
  readonly text: string;
  readonly name: string | undefined;
}

/** Stands in a statement for the name of the schema that its connection was opened for. */
export const ownSchema = "{schema}";

/** Texts depend on their shape alone, so there are few. Should somebody make more, those are not kept prepared. */
const mostPrepared = 500;
const known = new Map<string, Map<string, PreparedText>>();

/**
 * The shared programs write `?` for values, statements of this folder alone `$1`; each text is turned once. Its name tells
 * the text: on a connection that others were given too, by a pooler, no name means another statement than it does here.
 */
export function preparedText(sql: string, schema = ""): PreparedText {
  const of = sql.includes(ownSchema) ? schema : "";
  let made = known.get(sql);
  if (made === undefined && known.size < mostPrepared)
    known.set(sql, (made = new Map<string, PreparedText>()));
  let found = made?.get(of);
  if (found === undefined) {
    let count = 0;
    const text = sql.replaceAll(ownSchema, of).replaceAll("?", () => `$${++count}`);
    found = { text, name: made === undefined ? undefined : nameOf(text) };
    made?.set(of, found);
  }
  return found;
}

const nameOf = (text: string): string =>
  `cutover_${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
