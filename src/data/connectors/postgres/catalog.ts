import { CutoverError } from "../../../core/index.ts";
import type { Collection, Column } from "../../connector.ts";
import { type ColumnKind, keyKinds, kindOf } from "./column-kind.ts";
import { stateOf } from "./postgres-error.ts";
import type { Session } from "./session.ts";
import type { Shape, ShapeColumn } from "./shape.ts";

/** Where the move's own tables lie. */
export const ownSchema = "cutover_data";
/** Collections of this prefix are the move's own. */
export const ownPrefix = "cutover_";

/** The columns of a table as one text; `oid` is how the statement names the table. */
export function signatureSql(oid: string): string {
  return `(SELECT string_agg(concat_ws(',', attname, atttypid, atttypmod), ';' ORDER BY attnum) FROM pg_attribute
    WHERE attrelid = ${oid} AND attnum > 0 AND NOT attisdropped AND attgenerated = '')`;
}

/** @throws CUTOVER_DATA_FORMAT */
export async function requireEncoding(session: Session, store: string): Promise<void> {
  const [row] = await session.query("SELECT current_setting('server_encoding') AS encoding");
  if (row?.["encoding"] !== "SQL_ASCII") return;
  throw new CutoverError("CUTOVER_DATA_FORMAT", {
    message: "expected a database with an encoding, found SQL_ASCII: nobody knows what its text means",
    place: store,
  });
}

interface TableRow {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: string;
  readonly persistence: string;
  readonly identity: string;
  readonly rows: number;
  readonly bytes: number;
  readonly signature: string | null;
  readonly readable: boolean;
  readonly key: readonly number[] | null;
  readonly immediate: boolean | null;
  readonly generatedKey: boolean | null;
  /** Of it and to it, and its own triggers, as far as they hold in ordinary sessions. */
  readonly foreignKeys: readonly string[];
  readonly triggers: readonly string[];
  /** A trigger fires, on the table or a part of it, in sessions that write as replicas do. */
  readonly always: boolean;
  readonly columns: readonly {
    readonly number: number;
    readonly name: string;
    readonly type: number;
    readonly typeName: string;
    readonly notNull: boolean;
    readonly collation: number;
    readonly cast: string;
    readonly identity: string;
  }[];
}

const tablesSql: string = `SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]')::text AS found FROM (
  SELECT c.oid::int8, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind, c.relpersistence::text AS persistence,
    c.relreplident::text AS identity,
    CASE WHEN c.relkind = 'p' THEN (SELECT coalesce(sum(l.reltuples) FILTER (WHERE l.reltuples >= 0), CASE count(*) WHEN 0 THEN 0 ELSE -1 END) FROM pg_partition_tree(c.oid) p JOIN pg_class l ON l.oid = p.relid WHERE p.isleaf)
      ELSE c.reltuples END::float8 AS rows,
    CASE WHEN c.relkind = 'p' THEN (SELECT coalesce(sum(pg_table_size(p.relid)), 0) FROM pg_partition_tree(c.oid) p WHERE p.isleaf)
      ELSE pg_table_size(c.oid) END::float8 AS bytes,
    has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS readable,
    ${signatureSql("c.oid")} AS signature,
    (SELECT array_agg(k.number::int ORDER BY k.place) FROM unnest(i.indkey) WITH ORDINALITY AS k(number, place) WHERE k.place <= i.indnkeyatts) AS key,
    i.indimmediate AS immediate,
    (SELECT bool_or(g.attgenerated <> '') FROM pg_attribute g WHERE g.attrelid = c.oid AND g.attnum = ANY(i.indkey)) AS "generatedKey",
    ARRAY(SELECT k.conname FROM pg_constraint k WHERE k.contype = 'f' AND c.oid IN (k.conrelid, k.confrelid) AND k.conparentid = 0
        AND coalesce((to_jsonb(k)->>'conenforced')::boolean, true) ORDER BY 1) AS "foreignKeys",
    ARRAY(SELECT g.tgname FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled = 'O'
        AND g.tgname NOT LIKE 'cutover\\_%' ORDER BY 1) AS triggers,
    EXISTS (SELECT FROM pg_trigger g WHERE (g.tgrelid = c.oid OR g.tgrelid IN (SELECT p.relid FROM pg_partition_tree(c.oid) p))
        AND g.tgenabled IN ('A', 'R') AND g.tgname NOT LIKE 'cutover\\_%') AS always,
    coalesce((SELECT jsonb_agg(jsonb_build_object('number', a.attnum, 'name', a.attname, 'type', a.atttypid::int8,
        'typeName', format_type(a.atttypid, a.atttypmod), 'notNull', a.attnotnull, 'collation', a.attcollation::int8,
        'cast', (SELECT format('%I.%I', tn.nspname, ty.typname) FROM pg_type ty JOIN pg_namespace tn ON tn.oid = ty.typnamespace WHERE ty.oid = a.atttypid),
        'identity', a.attidentity::text) ORDER BY a.attnum)
      FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''), '[]') AS columns
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
    AND n.nspname <> ${`'${ownSchema}'`} AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    AND ($1::text[] IS NULL OR n.nspname = ANY($1))
  ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C") t`;

const typesSql = `SELECT oid::text, typtype::text AS sort, typbasetype::text AS base FROM pg_type WHERE typtype IN ('d', 'e')`;

/**
 * PostgreSQL 14 has one provider for a database, and no column for it. Of the thousand that come with ICU those that columns have: all of
 * them took longer than the tables.
 */
const collationsSql = `SELECT '100' AS oid, coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS provider, datcollate AS name,
    true AS deterministic, pg_encoding_to_char(encoding) AS encoding FROM pg_database d WHERE datname = current_database()
  UNION ALL SELECT oid::text, collprovider::text, collcollate, collisdeterministic, NULL FROM pg_collation
    WHERE oid <> 100 AND oid IN (SELECT attcollation FROM pg_attribute WHERE attnum > 0)`;

interface Types {
  readonly kindOf: (type: number) => ColumnKind;
  /** Whether text of this collation is ordered by its bytes; undefined: texts that differ may be equal. */
  readonly isBytes: (collation: number) => boolean | undefined;
  readonly utf8: boolean;
}

/** All tables of these schemas, of the user's own when none are named. Those that cannot be moved say why. */
export async function readTables(
  session: Session,
  schemas: readonly string[] | undefined,
): Promise<readonly Shape[]> {
  const [found] = await session.query(tablesSql, [schemas ?? null]);
  const types = await readTypes(session);
  const switches = await maySwitchOff(session);
  const rows = JSON.parse(found?.["found"] ?? "[]") as readonly TableRow[];
  const names = new Set<string>();
  return rows.map((row) => {
    const shape = shapeOf(switches ? { ...row, foreignKeys: [], triggers: [] } : row, types);
    const { name } = shape.collection;
    if (!names.has(name)) {
      names.add(name);
      return shape;
    }
    return {
      ...shape,
      collection: { ...shape.collection, problem: "another table's schema and name read the same" },
    };
  });
}

/** Whether this user's sessions may write as replicas do: a superuser, or by a grant. Tried, as versions differ in how it is asked. */
async function maySwitchOff(session: Session): Promise<boolean> {
  try {
    await session.query("BEGIN; SET LOCAL session_replication_role = 'replica'; ROLLBACK");
    return true;
  } catch (error) {
    if (session.lost === undefined) await session.query("ROLLBACK");
    if (stateOf(error) === "42501") return false;
    throw error;
  }
}

async function readTypes(session: Session): Promise<Types> {
  const bases = new Map<number, number>();
  const enums = new Set<number>();
  for (const { oid, sort, base } of await session.query(typesSql)) {
    if (sort === "e") enums.add(Number(oid));
    else bases.set(Number(oid), Number(base));
  }
  const orders = new Map<number, boolean | undefined>();
  let utf8 = false;
  for (const { oid, provider, name, deterministic, encoding } of await session.query(collationsSql)) {
    const bytes = provider === "b" || name === "C" || name === "POSIX";
    orders.set(Number(oid), deterministic === "f" ? undefined : bytes);
    if (encoding !== null) utf8 = encoding === "UTF8";
  }
  const baseOf = (type: number): number => {
    const base = bases.get(type);
    return base === undefined ? type : baseOf(base);
  };
  return {
    kindOf: (type) => kindOf(baseOf(type), enums.has(baseOf(type))),
    isBytes: (collation) => orders.get(collation),
    utf8,
  };
}

function shapeOf(row: TableRow, types: Types): Shape {
  const columns = row.columns.map(({ name, type, typeName, collation, cast, identity }): ShapeColumn => {
    const kind = types.kindOf(type);
    const text = kind === "text" || kind === "padded";
    const collated = text && types.isBytes(collation) !== true;
    return { name, type: typeName, typeOid: type, cast, kind, collated, fixed: identity === "a" };
  });
  const key = (row.key ?? []).map((number) => row.columns.findIndex((column) => column.number === number));
  const problem = problemOf(row, columns, key, types);
  const listed: readonly Column[] = row.columns.map(({ name, typeName, notNull }, at) => ({
    name,
    type: typeName,
    key: key.indexOf(at) + 1,
    nullable: !notNull,
  }));
  const { foreignKeys, triggers } = row;
  const collection: Collection = {
    name: `${row.schema}.${row.name}`,
    ...(row.rows < 0 ? {} : { rows: row.rows }),
    bytes: row.bytes,
    columns: listed,
    ...(problem === undefined ? {} : { problem }),
    ...(foreignKeys.length + triggers.length === 0 ? {} : { enforced: { foreignKeys, triggers } }),
  };
  const { schema, name: table, oid } = row;
  const signature = row.signature ?? "";
  return {
    collection,
    schema,
    table,
    oid,
    partitioned: row.kind === "p",
    raw: false,
    columns,
    key,
    silent: !row.always && foreignKeys.length + triggers.length === 0,
    signature,
  };
}

function problemOf(
  row: TableRow,
  columns: readonly ShapeColumn[],
  key: readonly number[],
  types: Types,
): string | undefined {
  if (!row.readable) return "this user has no right to read it";
  if (row.key === null || key.length === 0) return "it has no primary key";
  if (row.generatedKey === true || key.includes(-1)) return "a column of its primary key is generated";
  if (row.immediate === false)
    return "its primary key is deferrable, so that the log does not name deleted rows";
  if (row.persistence === "u") return "it is unlogged: its changes are in no log";
  if (row.identity === "n") return "its REPLICA IDENTITY is NOTHING: the log does not name deleted rows";
  if (row.identity === "i") return "its REPLICA IDENTITY is another index than the primary key";
  for (const place of key) {
    const { name, type, kind } = columns[place] as ShapeColumn;
    const collation = row.columns[place]?.collation ?? 0;
    const where = `column "${name}" (${type}) of its primary key`;
    if (!keyKinds.has(kind)) return `${where} is of a type whose order is not that of bytes`;
    if (kind === "text" || kind === "padded") {
      if (!types.utf8) return `${where} is text in a database that is not encoded in UTF-8`;
      if (types.isBytes(collation) === undefined)
        return `${where} has a collation by which different texts are equal`;
    }
  }
  return undefined;
}

/** A collection that a move keeps for itself: a table of two columns of bytes. @throws CUTOVER_DATA_COLLECTION */
export function ownShape(name: string, store: string): Shape {
  if (Buffer.byteLength(name) > 63)
    throw new CutoverError("CUTOVER_DATA_COLLECTION", {
      message: `expected the name of a collection of a move in at most 63 bytes, found "${name}"`,
      place: store,
    });
  const column = (named: string): ShapeColumn => ({
    name: named,
    type: "bytea",
    typeOid: 17,
    cast: "bytea",
    kind: "raw",
    collated: false,
    fixed: false,
  });
  return {
    collection: { name },
    schema: ownSchema,
    table: name,
    oid: 0,
    partitioned: false,
    raw: true,
    columns: [column("key"), column("value")],
    key: [0],
    silent: true,
    signature: "",
  };
}

export function schemaChanged({ collection }: Shape, store: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_SCHEMA_CHANGED", {
    message: `expected "${collection.name}" with the columns it had when the store was opened, found others`,
    place: store,
    details: { collection: collection.name },
  });
}

export function schemaMissing(schema: string, store: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_MISSING", {
    message: `expected schema "${schema}" in the database, found none of that name`,
    place: store,
    remedy: "make it, or correct the name in the address",
  });
}
