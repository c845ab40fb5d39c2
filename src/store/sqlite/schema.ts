import { type Clock, CutoverError, faultPoint } from "../../core/index.ts";
import { type SchemaFile, schemaFiles } from "../schema-files.ts";
import type { Connection } from "./connection.ts";

/** Marks the file as a Cutover store in its header: "Cuto". */
const applicationId = 0x4375746f;

/**
 * Brings the database to the newest schema this program knows, forward only, each file in a transaction of its own.
 * Looks before it writes anything.
 * @throws CUTOVER_STORE_NEWER when a newer program made a breaking change
 * @throws CUTOVER_STORE_CORRUPT when it is a database, but not a store
 */
export function migrateSchema(db: Connection, clock: Clock, place: string): void {
  const missing = missingFiles(db, place);
  // WAL lets others read while the owner writes; it is a property of the file. Memory databases keep their own.
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  // A checkpoint holds a commit up for as long as two syncs and all its pages take: every 8,000 pages (32 MB) instead of
  // every 1,000 an eighth as often, and a page that was changed many times in between is copied once.
  db.exec("PRAGMA wal_autocheckpoint = 8000; PRAGMA cache_size = -16000");
  for (const file of missing) applyFile(db, file, clock);
}

/**
 * For a database that is only looked at.
 * @throws what `migrateSchema` throws, and CUTOVER_STORE_UNAVAILABLE when it has an older schema
 */
export function requireSchema(db: Connection, place: string): void {
  const [missing] = missingFiles(db, place);
  if (missing === undefined) return;
  throw new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
    message: `expected a store of this version's schema, or the right to bring it there, found one without ${missing.name}, read only`,
    remedy: `copy it, with the -wal beside it, to a folder that can be written, and look there: cp ${place}* DIR`,
    place,
  });
}

/** What the database has not seen yet. */
function missingFiles(db: Connection, place: string): readonly SchemaFile[] {
  const files = schemaFiles("sqlite");
  const newest = files.at(-1)?.version ?? 0;
  const applied = appliedVersions(db, place);
  const beyond = applied.filter((row) => row.version > newest && row.breaking !== 0);
  if (beyond.length > 0) {
    throw new CutoverError("CUTOVER_STORE_NEWER", {
      message: `expected a store of schema ${newest} or compatible, found schema ${beyond.at(-1)?.version} (${beyond.at(-1)?.name})`,
      details: { known: newest, found: beyond.at(-1)?.version ?? 0 },
      place,
    });
  }
  const present = new Set(applied.map((row) => row.version));
  return files.filter(({ version }) => !present.has(version));
}

function applyFile(db: Connection, file: SchemaFile, clock: Clock): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    db.exec(`PRAGMA application_id = ${applicationId}`);
    db.exec(`CREATE TABLE IF NOT EXISTS schema (
      version INTEGER PRIMARY KEY, name TEXT NOT NULL, breaking INTEGER NOT NULL, applied_at INTEGER NOT NULL)`);
    // Somebody else may have been quicker between the look and the lock.
    if (db.get("SELECT 1 FROM schema WHERE version = ?", file.version) === undefined) {
      db.exec(file.sql);
      db.run(
        "INSERT INTO schema (version, name, breaking, applied_at) VALUES (?, ?, ?, ?)",
        file.version,
        file.name,
        file.breaking ? 1 : 0,
        clock.now(),
      );
    }
    faultPoint("store.schema.before-commit");
    db.exec("COMMIT");
  } catch (error) {
    if (db.inTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

function appliedVersions(
  db: Connection,
  place: string,
): readonly { readonly version: number; readonly name: string; readonly breaking: number }[] {
  const tables = db.all<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'");
  if (tables.length === 0) return [];
  const id = db.get<{ application_id: number }>("PRAGMA application_id")?.application_id;
  if (!tables.some((table) => table.name === "schema") || id !== applicationId) {
    throw new CutoverError("CUTOVER_STORE_CORRUPT", {
      message: "expected a Cutover store, found a database of another program",
      remedy: "point --store at another folder; this file was left untouched",
      place,
    });
  }
  return db.all("SELECT version, name, breaking FROM schema ORDER BY version");
}
