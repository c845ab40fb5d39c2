import { readdirSync, readFileSync } from "node:fs";
import { ownFile } from "../core/index.ts";

/** One numbered SQL file. Its first line says whether older programs can still use the store after it. */
export interface SchemaFile {
  readonly version: number;
  readonly name: string;
  readonly breaking: boolean;
  readonly sql: string;
}

/** Those of one kind of database, the oldest first. */
export function schemaFiles(database: "sqlite" | "postgres"): readonly SchemaFile[] {
  const folder = ownFile(`store/${database}/`);
  return readdirSync(folder)
    .filter((name) => /^\d{3}-.*\.sql$/.test(name))
    .sort()
    .map((name) => {
      const sql = readFileSync(new URL(name, folder), "utf8");
      return { version: Number(name.slice(0, 3)), name, breaking: sql.startsWith("-- breaking: yes"), sql };
    });
}
