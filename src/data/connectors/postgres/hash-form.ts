import { keyColumns, literal, quoted, type Shape, type ShapeColumn } from "./shape.ts";

/**
 * How the server hashes rows of a table. Each value is hashed on its own, seeded by the hash of its row's key and by the place of its
 * column, and the hash of a row is what these give by XOR: two rows, or two columns, that swap values are not what they were. NULL gives
 * nothing, which no value does.
 *
 * The types' own hashes know less than the bytes of a row: -0 is 0, 1.0 is 1.00, blanks behind a char(n) and, by some collations, case
 * are nothing, and of the 64 bits of an int8 they know 32. So whole numbers go into the 64 bits of the seed, texts are hashed by
 * `COLLATE "C"`, and all else as the bytes it is sent as.
 */
export interface HashForm {
  readonly name: string;
  /** As those of the table. */
  readonly columns: readonly Hashed[];
  /** `hashbyteaextended` is there, from PostgreSQL 18 on: what `hash_record_extended` of one column gives, without making a record. */
  readonly ofBytes: boolean;
}

interface Hashed {
  /** Columns of one name and equal bytes in a record are hashed to the same. */
  readonly name: string;
  /** What `sql` makes of a column. `whole`: an int8. `bytes`: a bytea. */
  readonly way: "whole" | "text" | "bytes" | "uuid";
  readonly sql: (column: string) => string;
}

const asText: Hashed = { name: "text", way: "text", sql: (column) => `${column}::text COLLATE "C"` };
const asWhole: Hashed = { name: "integer", way: "whole", sql: (column) => `${column}::int8` };
const asReal: Hashed = { name: "real", way: "bytes", sql: (column) => `float8send(${column}::float8)` };

const hashed: Readonly<Record<Exclude<ShapeColumn["kind"], "raw">, Hashed>> = {
  boolean: { name: "boolean", way: "whole", sql: (column) => `${column}::boolean::int4::int8` },
  int2: asWhole,
  int4: asWhole,
  int8: asWhole,
  float4: asReal,
  float8: asReal,
  text: asText,
  json: asText,
  jsonb: asText,
  enum: asText,
  padded: { name: "padded", way: "bytes", sql: (column) => `bpcharsend(${column}::bpchar)` },
  bytes: { name: "bytes", way: "bytes", sql: (column) => `${column}::bytea` },
  uuid: { name: "uuid", way: "uuid", sql: (column) => `${column}::uuid` },
  timestamp: { name: "timestamp", way: "bytes", sql: (column) => `timestamp_send(${column}::timestamp)` },
  timestamptz: {
    name: "timestamptz",
    way: "bytes",
    sql: (column) => `timestamptz_send(${column}::timestamptz)`,
  },
  date: { name: "date", way: "bytes", sql: (column) => `date_send(${column}::date)` },
  numeric: { name: "numeric", way: "bytes", sql: (column) => `numeric_send(${column}::numeric)` },
  // The text that a copy gives, which a cast is not for all types.
  other: {
    name: "text",
    way: "text",
    sql: (column) => `(CASE WHEN num_nulls(${column}) = 0 THEN format('%s', ${column}) END) COLLATE "C"`,
  },
};

/**
 * Undefined for a collection that a move keeps for itself.
 * @param server `encoding`: of the database, whose texts are hashed as they lie there
 */
export function hashForm(
  { raw, columns, key }: Shape,
  { encoding, ofBytes }: { readonly encoding: string; readonly ofBytes: boolean },
): HashForm | undefined {
  if (raw) return undefined;
  // Only columns of collections that a move keeps are raw.
  const each = columns.map(({ kind }) => hashed[kind as keyof typeof hashed]);
  const names = each.map(({ name }) => name).join(",");
  return { name: `postgres sums 2:${encoding}:${key.join(",")}:${names}`, columns: each, ofBytes };
}

/** Rows of `from` as `k`, the hash of the key, `h`, the hash of all of it, and the columns of the key: `p0`, `p1`, … */
export function hashedRows(form: HashForm, shape: Shape, seed: bigint, from: string): string {
  const { columns, key, collection } = shape;
  const hashOf = (place: number, column: string, under: string): string =>
    hashSql(form, form.columns[place] as Hashed, column, place, under);
  let keyed = `${literal(String(BigInt.asIntN(64, seed)))}::int8`;
  for (const place of key) keyed = hashOf(place, quoted((columns[place] as ShapeColumn).name), keyed);
  const rest = columns.flatMap(({ name }, place) => (key.includes(place) ? [] : [{ name, place }]));
  const values = rest.map(({ place }) => {
    const hash = hashOf(place, `c${place}`, "k");
    // A record gives 0 for NULL by itself.
    return collection.columns?.[place]?.nullable === false ? hash : `coalesce(${hash}, 0)`;
  });
  const places = keyColumns(shape).map(({ name }, at) => `${quoted(name)} AS p${at}`);
  const inner = [
    `${keyed} AS k`,
    ...rest.map(({ name, place }) => `${quoted(name)} AS c${place}`),
    ...places,
  ];
  // OFFSET 0 keeps the server from taking the hash of the key in each place where it is used.
  return `SELECT k, ${["k", ...values].join(" # ")} AS h, ${places.map((_, at) => `p${at}`).join(", ")}
    FROM (SELECT ${inner.join(", ")} FROM ${from} OFFSET 0) AS keyed`;
}

/** The hash of a column under 64 bits; NULL for NULL, or 0. */
function hashSql(form: HashForm, { way, sql }: Hashed, column: string, place: number, under: string): string {
  const value = sql(column);
  if (way === "whole") return `hashint4extended(${place}, ${value} # ${under})`;
  // Odd multiples of 2⁶⁴ over the golden ratio: no two are alike, and none is a number that rows have.
  const own = BigInt.asIntN(64, BigInt(2 * place + 1) * 0x9e37_79b9_7f4a_7c15n);
  const seed = `${under} # ${literal(String(own))}::int8`;
  if (way === "text") return `hashtextextended(${value}, ${seed})`;
  if (way === "uuid") return `uuid_hash_extended(${value}, ${seed})`;
  return form.ofBytes
    ? `hashbyteaextended(${value}, ${seed})`
    : `hash_record_extended(ROW(${value}), ${seed})`;
}
