import { existsSync, globSync, statSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { CutoverError } from "../core/index.ts";

/** The project a store belongs to: the folder it lies in. Recorded sources are relative to it. */
export const projectOf = (store: string): string => dirname(store);

/** How a file is recorded: relative to its project, with forward slashes. */
export const sourceOf = (store: string, file: string): string =>
  relative(projectOf(store), file).replaceAll("\\", "/");

/**
 * The definition a command works on: the file that was named, else `crossing.ts` (or `.mts`), else the only
 * `*.crossing.ts`, else the source of the newest run. Absolute.
 * @throws CUTOVER_PLAN_NOT_FOUND when there is none, or more than one to choose from
 */
export async function findDefinition(
  named: string | undefined,
  places: { readonly cwd: string; readonly store: string },
  lastSource: () => Promise<string | undefined>,
): Promise<string> {
  if (named !== undefined) return existing(resolve(places.cwd, named));
  for (const usual of ["crossing.ts", "crossing.mts"]) {
    const file = resolve(places.cwd, usual);
    if (existsSync(file)) return file;
  }
  const found = globSync("*.crossing.{ts,mts,js,mjs}", { cwd: places.cwd });
  const [only] = found;
  if (only !== undefined && found.length === 1) return resolve(places.cwd, only);
  if (found.length > 1) {
    throw new CutoverError("CUTOVER_PLAN_NOT_FOUND", {
      message: `expected one definition in ${places.cwd}, found ${found.length}: ${found.join(", ")}`,
      remedy: "name the file you mean",
      details: { found },
    });
  }
  const source = await lastSource();
  if (source !== undefined) return existing(resolve(projectOf(places.store), source));
  throw new CutoverError("CUTOVER_PLAN_NOT_FOUND", {
    message: `expected crossing.ts or one *.crossing.ts in ${places.cwd}, found none`,
    remedy: "name the file, or write a first one with `cutover init`",
    place: places.cwd,
  });
}

function existing(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isDirectory() === false) return file;
  throw new CutoverError("CUTOVER_PLAN_NOT_FOUND", {
    message: `expected a file with a migration, found ${found === undefined ? "no such file" : "a folder"}`,
    place: file,
  });
}
