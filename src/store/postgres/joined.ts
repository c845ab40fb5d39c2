import type { Statement } from "../sql/program.ts";

/** Texts that are kept; there are few, unless calls are mixed in ever new ways. Then it begins anew. */
const mostKnown = 2_000;
const known = new Map<string, string>();

/** Knows what it was put together from, so that more can be joined: a writing `WITH` may not stand inside another. */
export interface JoinedStatement extends Statement {
  readonly parts?: readonly Statement[];
}

/**
 * Writes to different tables as one statement. Each statement costs both sides 15 µs and a packet of its own, whatever
 * it does; a commit of one order is eight of them otherwise.
 */
export function writtenTogether(writes: readonly Statement[]): readonly JoinedStatement[] {
  const parts = writes.flatMap((one: JoinedStatement) => one.parts ?? [one]);
  if (parts.length < 2) return parts.map((part) => ({ ...part, parts }));
  const sql = joined("with", parts, (texts) => {
    const before = texts.slice(0, -1).map((text, index) => `part_${index} AS (${text})`);
    return `WITH ${before.join(", ")} ${texts.at(-1)}`;
  });
  return [{ sql, values: parts.flatMap(({ values }) => values), wants: "count", parts }];
}

/** Writes that take their rows from what `head`, called `name`, gives back; the answer is that of `head`. */
export function writtenWithin(name: string, head: Statement, parts: readonly Statement[]): Statement {
  const sql = joined(`within ${name}`, [head, ...parts], ([first, ...others]) => {
    const rest = others.map((text, index) => `part_${index} AS (${text})`);
    return `WITH ${[`${name} AS (${first})`, ...rest].join(", ")} SELECT * FROM ${name}`;
  });
  return { sql, values: [head, ...parts].flatMap(({ values }) => values), wants: head.wants };
}

/**
 * Writes that take their rows from the last of some queries, which may refer to those before it.
 * @param answer what is answered, in terms of these queries
 */
export function writtenAfter(
  queries: Readonly<Record<string, Statement>>,
  parts: readonly Statement[],
  answer: string,
): Statement {
  const names = Object.keys(queries);
  const all = [...Object.values(queries), ...parts];
  const sql = joined(`after ${names.join(" ")} ${answer}`, all, (texts) => {
    const named = texts.map((text, index) => `${names[index] ?? `part_${index}`} AS (${text})`);
    return `WITH ${named.join(", ")} ${answer}`;
  });
  return { sql, values: all.flatMap(({ values }) => values), wants: "rows" };
}

/** Questions whose answers have the same columns as one statement. */
export function askedTogether(parts: readonly Statement[]): readonly Statement[] {
  if (parts.length < 2) return parts;
  const sql = joined("union", parts, (texts) => texts.map((text) => `(${text})`).join(" UNION ALL "));
  return [{ sql, values: parts.flatMap(({ values }) => values), wants: "arrays" }];
}

/** The text depends on those of the parts alone and is made once. Values of later parts are numbered on. */
function joined(
  how: string,
  parts: readonly Statement[],
  join: (texts: readonly string[]) => string,
): string {
  const key = `${how}\n${parts.map(({ sql }) => sql).join("\n;\n")}`;
  let text = known.get(key);
  if (text === undefined) {
    let before = 0;
    text = join(
      parts.map(({ sql, values }) => {
        const first = before;
        before += values.length;
        return sql.replaceAll(/\$(\d+)/g, (_, number: string) => `$${first + Number(number)}`);
      }),
    );
    if (known.size >= mostKnown) known.clear();
    known.set(key, text);
  }
  return text;
}
