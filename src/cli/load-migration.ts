import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { asError, CutoverError, isCutoverError } from "../core/index.ts";
import { isMigration, type Migration } from "../plan/index.ts";
import { commonJsManifest } from "./module-type.ts";

/**
 * The migration that `file` exports as default. Node itself loads it and strips its types.
 * @throws CUTOVER_PLAN_LOAD with `file:line` when the file cannot be run, CUTOVER_PLAN_NOT_FOUND when its default
 * export is no migration, and whatever `defineMigration` found wrong in it
 */
export async function loadMigration(file: string): Promise<Migration> {
  const loaded = await loadModule(file);
  if (isMigration(loaded["default"])) return loaded["default"];
  throw new CutoverError("CUTOVER_PLAN_NOT_FOUND", {
    message: `expected a migration as default export, found ${describe(loaded["default"])}`,
    place: file,
    remedy: "write `export default defineMigration({ … })`",
  });
}

/** Everything that `file` exports. @throws CUTOVER_PLAN_LOAD with `file:line`, or what a definition in it was refused with */
export async function loadModule(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const module = import(pathToFileURL(file).href) as Promise<Readonly<Record<string, unknown>>>;
    return await Promise.race([module, neverLoaded()]);
  } catch (thrown) {
    throw loadError(file, thrown);
  }
}

/**
 * Rejects when nothing is left that could end a top-level `await` of the file: Node would leave with code 13 and
 * a line of this program. Once loaded, nobody listens to it any more.
 */
function neverLoaded(): Promise<never> {
  return new Promise((_, reject) => {
    process.once("beforeExit", () => {
      reject(new Error("an `await` at its top level that waits for ever"));
    });
  });
}

function loadError(file: string, thrown: unknown): CutoverError {
  const place = placeIn(file, thrown) ?? file;
  if (isCutoverError(thrown)) {
    if (thrown.place !== undefined) return thrown;
    const { code, message, details, remedy } = thrown;
    return new CutoverError(code, { message, details, remedy, place, cause: thrown });
  }
  const error = asError(thrown);
  return new CutoverError("CUTOVER_PLAN_LOAD", {
    message: `expected a file that Node can run, found: ${firstLine(error.message) || error.name}`,
    place,
    details: { error: error.name },
    cause: error,
    ...moduleRemedy(file, error),
  });
}

/** `npm init` writes "type": "commonjs", and Node then stops at the first `import` or `export` of a `.ts` file. */
function moduleRemedy(file: string, error: Error): { readonly remedy?: string } {
  if (!(error instanceof SyntaxError) || !/outside a module|Unexpected token 'export'/.test(error.message))
    return {};
  const manifest = commonJsManifest(dirname(file));
  if (manifest === undefined) return {};
  return { remedy: `write "type": "module" in ${manifest}, or let the file's name end in .mts` };
}

/** `file:line` of the error: from its stack; for a syntax error from the first line, which names where it stopped. */
export function placeIn(file: string, thrown: unknown): string | undefined {
  const stack = thrown instanceof Error ? (thrown.stack ?? "") : "";
  const url = pathToFileURL(file).href;
  for (const line of stack.split("\n")) {
    const found = /((?:file:\/\/)?\/[^\s()]*?):(\d+)(?::\d+)?\)?\s*$/.exec(line.trim());
    if (found === null) continue;
    const [, path = "", number = ""] = found;
    if (path === url || path === file) return `${file}:${number}`;
    // A syntax error in a file that this one imports stands in that file.
    if (thrown instanceof SyntaxError && !path.includes("node_modules")) {
      return `${path.startsWith("file:") ? fileURLToPath(path) : path}:${number}`;
    }
  }
  return undefined;
}

const firstLine = (text: string): string =>
  text
    .split("\n")
    .find((line) => line.trim() !== "")
    ?.trim() ?? "";

function describe(value: unknown): string {
  if (value === undefined) return "no default export";
  if (value === null) return "null";
  return typeof value === "object" ? "another object" : `a ${typeof value}`;
}
