/** A statement as PostgreSQL wants it: numbered values, and the name under which each connection keeps it prepared. */
export interface PreparedText {
  readonly text: string;
  readonly name: string | undefined;
}

/** Texts depend on their shape alone, so there are few. Should somebody make more, those are not kept prepared. */
const mostPrepared = 500;
const known = new Map<string, PreparedText>();

/** The shared programs write `?` for values, statements of this folder alone `$1`; each text is turned once. */
export function preparedText(sql: string): PreparedText {
  let found = known.get(sql);
  if (found === undefined) {
    let count = 0;
    const text = sql.replaceAll("?", () => `$${++count}`);
    if (known.size >= mostPrepared) return { text, name: undefined };
    found = { text, name: `cutover_${known.size + 1}` };
    known.set(sql, found);
  }
  return found;
}
