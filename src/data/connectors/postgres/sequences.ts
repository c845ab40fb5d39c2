import { CutoverError, type JsonObject } from "../../../core/index.ts";
import { stateOf } from "./postgres-error.ts";
import type { Session } from "./session.ts";
import { quoted } from "./shape.ts";

/** Columns whose numbers come from a sequence: of an identity, of a `serial`, or of a default that asks for its next value. */
const columnsSql = `WITH used AS (
    SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid::int AS number FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
    UNION SELECT d.refobjid, f.adrelid, f.adnum::int FROM pg_attrdef f
      JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass)
  SELECT u.sequence::text AS sequence, n.nspname AS schema, c.relname AS table, a.attname AS column,
    EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = u.relation AND i.indkey[0] = a.attnum
      AND i.indisvalid AND i.indpred IS NULL AND x.relam IN (SELECT oid FROM pg_am WHERE amname = 'btree')) AS ordered
    FROM used u JOIN pg_class s ON s.oid = u.sequence AND s.relkind = 'S' JOIN pg_class c ON c.oid = u.relation AND c.relkind IN ('r', 'p')
    JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.number
    WHERE a.atttypid IN (20, 21, 23, 1700) AND NOT c.relispartition`;

const sequencesSql = `SELECT s.oid::text AS oid, n.nspname AS schema, s.relname AS name, q.seqincrement::text AS increment, q.seqmin::text AS least, q.seqmax::text AS most,
    has_sequence_privilege(s.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS readable,
    has_sequence_privilege(s.oid, 'UPDATE') AS writable
  FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace JOIN pg_sequence q ON q.seqrelid = s.oid
  WHERE s.relkind = 'S' AND s.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    AND ($1::text[] IS NULL OR n.nspname = ANY($1))`;

export interface Sequence {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  readonly increment: bigint;
  /** The value it gave last, or the one before the first that it will give. */
  readonly last: bigint;
  readonly called: boolean;
  readonly least: bigint;
  readonly most: bigint;
  readonly writable: boolean;
}

/** A column that a sequence counts, quoted for statements. */
interface NumberedColumn {
  readonly sequence: string;
  readonly table: string;
  readonly column: string;
  /** An index finds the largest number at once. */
  readonly ordered: boolean;
}

/** Where sequences stand. Those that this user may not read are left out, unless they are `needed`: then it is denied. */
export async function readSequences(
  session: Session,
  schemas: readonly string[] | undefined,
  needed: ReadonlySet<string> = new Set(),
): Promise<readonly Sequence[]> {
  const all = await session.query(sequencesSql, [schemas ?? null]);
  const found = all.filter(({ oid, readable }) => readable === "t" || needed.has(oid ?? ""));
  if (found.length === 0) return [];
  const values = await session.query(
    found
      .map(
        ({ oid, schema, name }) =>
          `SELECT '${oid}' AS oid, last_value::text AS last, is_called AS called FROM ${quoted(schema ?? "")}.${quoted(name ?? "")}`,
      )
      .join(" UNION ALL "),
  );
  const states = new Map(values.map(({ oid, last, called }) => [oid, { last, called: called === "t" }]));
  return found.map(({ oid, schema, name, increment, least, most, writable }) => {
    const state = states.get(oid ?? "");
    return {
      oid: oid ?? "",
      schema: schema ?? "",
      name: name ?? "",
      increment: BigInt(increment ?? 1),
      last: BigInt(state?.last ?? 0),
      called: state?.called === true,
      least: BigInt(least ?? 0),
      most: BigInt(most ?? 0),
      writable: writable === "t",
    };
  });
}

/**
 * Sets each sequence past the numbers that are in its columns, and past where the sequence of the same schema and name stands at
 * the other side, as one that only statements of the application ask is known by its name alone. Never back: a sequence that was set further on purpose stays there. Columns that no index is in the order of are read
 * whole, and only with `thorough`.
 */
export async function advanceSequences(
  session: Session,
  options: {
    readonly schemas: readonly string[] | undefined;
    readonly others: readonly Sequence[];
    readonly thorough: boolean;
    readonly store: string;
  },
): Promise<JsonObject> {
  const { schemas, others, thorough, store } = options;
  const columns = (await session.query(columnsSql)).map(
    ({ sequence, schema, table, column, ordered }): NumberedColumn => ({
      sequence: sequence ?? "",
      table: `${quoted(schema ?? "")}.${quoted(table ?? "")}`,
      column: quoted(column ?? ""),
      ordered: ordered === "t",
    }),
  );
  const needed = new Set(columns.map(({ sequence }) => sequence));
  const sequences = await readSequences(session, schemas, needed);
  const set: JsonObject[] = [];
  for (const sequence of sequences) {
    // Told also while there is nothing to set yet: in the pause it would be too late.
    if (needed.has(sequence.oid) && !sequence.writable) throw notWritable(store, sequence);
    const own = columns.filter((each) => each.sequence === sequence.oid && (thorough || each.ordered));
    const other = others.find(({ schema, name }) => schema === sequence.schema && name === sequence.name);
    const reached = [
      ...(await furthest(session, sequence, own)),
      ...(other?.called === true ? [other.last] : []),
    ];
    const up = sequence.increment > 0n;
    const to = reached.reduce<bigint | undefined>(
      (most, each) => (most === undefined || (up ? each > most : each < most) ? each : most),
      undefined,
    );
    if (to === undefined || !beyond(sequence, to)) continue;
    const shown = `${sequence.schema}.${sequence.name}`;
    if (to > sequence.most || to < sequence.least) throw exhausted(store, shown, to, sequence);
    await session.query("SELECT setval($1::oid::regclass, $2::int8)", [sequence.oid, String(to)]);
    set.push({ sequence: shown, from: String(sequence.last), to: String(to) });
  }
  return { sequences: sequences.length, set };
}

/** Whether the next number of the sequence may be one that was reached already. */
function beyond({ increment, last, called }: Sequence, to: bigint): boolean {
  if (increment > 0n) return called ? to > last : to >= last;
  return called ? to < last : to <= last;
}

async function furthest(
  session: Session,
  { increment }: Sequence,
  columns: readonly NumberedColumn[],
): Promise<readonly bigint[]> {
  const found: bigint[] = [];
  for (const { table, column } of columns) {
    const most = increment > 0n ? `ceil(max(${column}))` : `floor(min(${column}))`;
    try {
      const [row] = await session.query(`SELECT ${most}::text AS reached FROM ${table}`);
      if (typeof row?.["reached"] === "string" && /^-?\d+$/.test(row["reached"]))
        found.push(BigInt(row["reached"]));
    } catch (error) {
      // A table that this user cannot read holds no row that was moved.
      if (stateOf(error) !== "42501") throw error;
    }
  }
  return found;
}

function exhausted(store: string, name: string, to: bigint, { least, most }: Sequence): CutoverError {
  return new CutoverError("CUTOVER_DATA_REFUSED", {
    message: `expected sequence "${name}" to reach ${to}, the furthest number that is there, found that it goes from ${least} to ${most}`,
    place: store,
    details: { sequence: name, reached: String(to) },
    remedy: `ALTER SEQUENCE ${name} AS bigint, with a MAXVALUE that leaves room`,
  });
}

function notWritable(store: string, { schema, name }: Sequence): CutoverError {
  const shown = `${schema}.${name}`;
  return new CutoverError("CUTOVER_DATA_DENIED", {
    message: `expected the right to set sequence "${shown}", found that this user has none`,
    place: store,
    details: { sequence: shown },
    remedy: `GRANT SELECT, UPDATE ON SEQUENCE ${shown} to the user of the address`,
  });
}
