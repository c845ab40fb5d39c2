import { CutoverError, faultPoint } from "../../core/index.ts";
import { missingStore } from "../missing-store.ts";
import { type SchemaFile, schemaFiles } from "../schema-files.ts";
import type { Answer, Statement } from "../sql/program.ts";
import { serverNow } from "./server-clock.ts";
import { plain, type Session } from "./session.ts";
import { ownSchema } from "./statement-text.ts";

interface Applied {
  readonly version: number;
  readonly name: string;
  readonly breaking: number;
}

/** How a schema is known for one of ours: the comment on its table of versions. */
const mark = "Cutover store";

const files = schemaFiles("postgres");

/** The newest schema that programs of before it cannot use. */
const form = files.findLast(({ breaking }) => breaking)?.version ?? 0;

/**
 * What every write asks of the end of the chain. A breaking change gives the row another `id`, so that programs of before it
 * that run on are refused from their next write, at no cost. On a connection that was given to others, too, it may be the
 * end of another store's chain, which has the same `id`: nothing is to be written there.
 */
export const isHead: string = `chain_head.id = ${form} AND current_schema() = '${ownSchema}'`;

/** The tables of a store, by the newest schema. */
export const tableNames: readonly string[] = files.flatMap(({ sql }) =>
  Array.from(sql.matchAll(/^CREATE TABLE (\w+)/gm), ([, name = ""]) => name),
);

/** @throws CUTOVER_STORE_UNAVAILABLE for a name that would have to be quoted by everybody who looks into the database */
export function checkSchemaName(schema: string): void {
  if (/^[a-z_][a-z0-9_]{0,47}$/.test(schema) && !schema.startsWith("pg_")) return;
  throw new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
    message: `expected a schema name of lower-case letters, digits and _, at most 48, not beginning with pg_, found ${JSON.stringify(schema)}`,
    remedy: "choose another name for the schema",
  });
}

/**
 * Brings the schema to the newest version this program knows, forward only, in one transaction under a lock that other
 * programs doing the same wait for. Looks before it writes anything, so a user without rights to make tables can use a
 * store that is up to date.
 * @throws CUTOVER_STORE_NEWER when a newer program made a breaking change
 * @throws CUTOVER_STORE_CORRUPT when the schema belongs to another program
 * @throws CUTOVER_STORE_UNAVAILABLE when the database's encoding lacks characters
 */
export async function migrateSchema(session: Session, schema: string, place: string): Promise<void> {
  if (missing(await appliedVersions(session, schema, place), place).length === 0) return;
  await session.send([
    plain("BEGIN"),
    // An index of millions of orders takes its time.
    plain("SET LOCAL statement_timeout = 0"),
    // Whoever else the connection was given to: tables are made nowhere else.
    plain(`SET LOCAL search_path TO "${ownSchema}"`),
  ]);
  try {
    // Two numbers of one lock: a constant of ours, and the schema.
    await session.send([asked("SELECT pg_advisory_xact_lock(1131770991, hashtext($1))", schema)]);
    const applied = await appliedVersions(session, schema, place);
    if (applied.length === 0) await makeSchema(session, schema);
    for (const file of missing(applied, place)) {
      // As long as it takes: it may write a large table anew.
      await session.script(file.sql, 0);
      await session.send([
        {
          sql: `INSERT INTO schema (version, name, breaking, applied_at) VALUES ($1, $2, $3, ${serverNow})`,
          values: [file.version, file.name, file.breaking ? 1 : 0],
          wants: "count",
        },
      ]);
    }
    await session.send([{ sql: "UPDATE chain_head SET id = $1", values: [form], wants: "count" }]);
    faultPoint("store.schema.before-commit");
    await session.send([plain("COMMIT")]);
  } catch (error) {
    if (session.lost === undefined) await session.settle([plain("ROLLBACK")]);
    throw error;
  }
}

/**
 * For who only looks.
 * @throws CUTOVER_STORE_UNAVAILABLE with `details.missing` when there is no store in the schema, or no schema
 */
export async function refuseMissing(session: Session, schema: string, place: string): Promise<void> {
  if ((await appliedVersions(session, schema, place)).length === 0) throw missingStore(place);
}

/**
 * For a program that was running when the schema was changed.
 * @throws CUTOVER_STORE_NEWER when a newer program has made a breaking change
 */
export async function refuseNewer(session: Session): Promise<void> {
  const [found] = await session.send([asked("SELECT version, name, breaking FROM schema ORDER BY version")]);
  missing((found?.rows ?? []) as unknown as readonly Applied[]);
}

const asked = (sql: string, ...values: readonly string[]): Statement => ({ sql, values, wants: "rows" });

async function makeSchema(session: Session, schema: string): Promise<void> {
  const found = await session.send([asked("SELECT 1 FROM pg_namespace WHERE nspname = $1", schema)]);
  // Not IF NOT EXISTS: that asks for the right to make schemas even when there is nothing to make.
  if (found[0]?.rows.length === 0) await session.script(`CREATE SCHEMA "${schema}"`);
  await session.script(`CREATE TABLE schema (
      version integer PRIMARY KEY, name text NOT NULL, breaking integer NOT NULL, applied_at bigint NOT NULL);
    COMMENT ON TABLE schema IS '${mark}'`);
}

/** The files that are not applied yet. */
function missing(applied: readonly Applied[], place?: string): readonly SchemaFile[] {
  const newest = files.at(-1)?.version ?? 0;
  const beyond = applied.filter(({ version, breaking }) => version > newest && breaking !== 0).at(-1);
  if (beyond !== undefined) {
    throw new CutoverError("CUTOVER_STORE_NEWER", {
      message: `expected a store of schema ${newest} or compatible, found schema ${beyond.version} (${beyond.name})`,
      details: { known: newest, found: beyond.version },
      ...(place === undefined ? {} : { place }),
    });
  }
  const present = new Set(applied.map(({ version }) => version));
  return files.filter(({ version }) => !present.has(version));
}

async function appliedVersions(session: Session, schema: string, place: string): Promise<readonly Applied[]> {
  const [found] = (await session.send([
    asked(
      `SELECT (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm')) AS tables,
         coalesce(obj_description(to_regclass(format('%I.schema', $1::text)), 'pg_class') = $2, false)::int AS ours,
         current_setting('server_encoding') AS encoding`,
      schema,
      mark,
    ),
  ])) as readonly [Answer];
  const { tables, ours, encoding } = found.rows[0] as {
    readonly tables: number;
    readonly ours: number;
    readonly encoding: string;
  };
  // SQL_ASCII stores bytes as they come.
  if (encoding !== "UTF8" && encoding !== "SQL_ASCII") {
    throw new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
      message: `expected a database of encoding UTF8, which has every character, found one of ${encoding}`,
      remedy: "give the address of a database made with ENCODING 'UTF8' TEMPLATE template0",
      place,
    });
  }
  if (ours === 1) {
    const [rows] = await session.send([asked("SELECT version, name, breaking FROM schema ORDER BY version")]);
    return rows?.rows as unknown as readonly Applied[];
  }
  if (tables === 0) return [];
  throw new CutoverError("CUTOVER_STORE_CORRUPT", {
    message: `expected a Cutover store in schema ${schema}, found tables of another program`,
    remedy: "name another schema; this one was left untouched",
    place,
  });
}
