import { pathToFileURL } from "node:url";
import type { Collected } from "./collect.ts";

/**
 * Adds the texts of every column of an SQLite file: counted by the database, opened so that nothing of it changes.
 * @throws what the database says of a damaged file
 */
export async function addDatabase(collected: Collected, file: string, path: string): Promise<void> {
  const { DatabaseSync } = await import("node:sqlite");
  const url = pathToFileURL(path);
  // Immutable: without it even a reader writes a file of shared memory beside a database in WAL mode.
  url.search = "mode=ro&immutable=1";
  const database = new DatabaseSync(url, { readOnly: true });
  try {
    const tables = database
      .prepare(
        "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' order by name",
      )
      .all();
    for (const { name: table } of tables) {
      if (typeof table !== "string") continue;
      for (const { name: column } of database.prepare(`pragma table_info(${quote(table)})`).all()) {
        if (typeof column !== "string") continue;
        const rows = database
          .prepare(
            `select ${quote(column)} as value, count(*) as count, min(rowid) as row from ${quote(table)}
             where typeof(${quote(column)}) = 'text' and length(${quote(column)}) <= 64 group by 1 limit 201`,
          )
          .all();
        for (const { value, count } of rows)
          if (typeof value === "string")
            collected.add("data", `${table}.${column}`, value, file, () => 1, Number(count));
      }
    }
  } finally {
    database.close();
  }
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
