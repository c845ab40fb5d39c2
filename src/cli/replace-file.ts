import { link, mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { asError, CutoverError, type JsonObject } from "../core/index.ts";

/**
 * Writes a file whole or not at all: beside it first, then in its place. `tried` sees the new file under another name, of the
 * same ending, before it counts; when it throws, the old one stays as it was.
 * @throws CUTOVER_FILE_EXISTS when `fresh` and a file appeared there meanwhile; CUTOVER_STORE_UNAVAILABLE when it cannot be written
 */
export async function replaceFile(
  file: string,
  text: string,
  options: {
    readonly fresh: boolean;
    readonly pid: number;
    readonly tried?: (file: string) => Promise<void>;
  },
): Promise<void> {
  const beside = join(dirname(file), `.${basename(file, extname(file))}.${options.pid}${extname(file)}`);
  try {
    await mkdir(dirname(file), { recursive: true });
    const mode = options.fresh ? undefined : (await stat(file)).mode & 0o777;
    await writeFile(beside, text, { flag: "wx", ...(mode === undefined ? {} : { mode }) });
  } catch (error) {
    throw notWritten(file, error);
  }
  try {
    await options.tried?.(beside);
    // A link fails where a rename would replace what somebody wrote in the meantime.
    if (options.fresh) await link(beside, file);
    else await rename(beside, file);
  } catch (error) {
    if (error instanceof CutoverError) throw error;
    if (asError(error).message.includes("EEXIST")) throw fileExists(file);
    throw notWritten(file, error);
  } finally {
    await rm(beside, { force: true });
  }
}

export const fileExists = (file: string): CutoverError =>
  new CutoverError("CUTOVER_FILE_EXISTS", {
    message: "expected no file there, or one that `cutover import` wrote, found another",
    place: file,
    remedy: "choose another with --out FILE, or replace it with --force",
  });

const notWritten = (file: string, error: unknown): CutoverError =>
  new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
    message: `expected a folder that can be written, found: ${asError(error).message}`,
    remedy: "choose a folder that can be written",
    place: file,
    cause: error,
  });

/** Why the new file did not take the old one's place, in the old one's name. */
export function leftAsItWas(file: string, beside: string, thrown: unknown, why: string): unknown {
  if (!(thrown instanceof CutoverError)) return thrown;
  const own = (text: string): string => text.replaceAll(beside, file);
  const { code, message, details, remedy, place } = thrown;
  const facts = JSON.parse(own(JSON.stringify(details))) as JsonObject;
  // Printed as the first of its own problems, it would lose the words of this one.
  const { problems: _, ...rest } = facts;
  return new CutoverError(code, {
    message: `${why}, so it was left as it was: ${own(message)}`,
    details: rest,
    remedy,
    ...(place === undefined ? {} : { place: own(place) }),
    cause: thrown,
  });
}
