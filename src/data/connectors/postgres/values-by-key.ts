import { encodeRecord } from "../../record-codec.ts";
import { valueOfText } from "./column-kind.ts";
import type { Session } from "./session.ts";
import { keyColumns, keyTexts, quoted, readFrom, type Shape } from "./shape.ts";

/** Keys of one query. */
const keysAtOnce = 5_000;

/** Values of rows by their keys, in the order asked for; undefined for a key that is not there. */
export async function valuesByKey(
  session: Session,
  shape: Shape,
  keys: readonly Uint8Array[],
  store: string,
): Promise<readonly (Uint8Array | undefined)[]> {
  const found: (Uint8Array | undefined)[] = keys.map(() => undefined);
  const columns = keyColumns(shape);
  const sql = `SELECT w.place::text AS place, ${shape.columns.map(({ name }, at) => `t.${quoted(name)} AS c${at}`).join(", ")}
    FROM unnest(${columns.map((_, at) => `$${at + 1}::text[]`).join(", ")}) WITH ORDINALITY AS w(${columns.map((_, at) => `k${at}`).join(", ")}, place)
    JOIN ${readFrom(shape)} AS t ON ${columns.map(({ name, cast }, at) => `t.${quoted(name)} = w.k${at}::${cast}`).join(" AND ")}`;
  for (let from = 0; from < keys.length; from += keysAtOnce) {
    const texts = keys.slice(from, from + keysAtOnce).map((key) => keyTexts(shape, key, store));
    const rows = await session.query(
      sql,
      columns.map((_, at) => texts.map((key) => key[at])),
    );
    for (const row of rows) {
      const values = shape.columns.map(({ kind }, at) => {
        const text = row[`c${at}`];
        return text === null || text === undefined ? null : valueOfText(kind, Buffer.from(text));
      });
      found[from + Number(row["place"]) - 1] = shape.raw ? (values[1] as Uint8Array) : encodeRecord(values);
    }
  }
  return found;
}
