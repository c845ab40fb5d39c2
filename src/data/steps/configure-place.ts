import { lstat, open, readFile, realpath, rename, rm, unlink } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import {
  asError,
  canonicalJson,
  CutoverError,
  faultPoint,
  isCutoverError,
  sha256,
} from "../../core/index.ts";
import type { ConfigFormat } from "./configure-change.ts";
import type { Problems } from "./step-input.ts";

/** A setting that no file holds: of a running service, of a database, a link. Values are JSON. */
export interface ConfigValue<T> {
  /** For people and records. */
  readonly name: string;
  /** Undefined: it is not set. */
  readonly read: () => T | undefined | Promise<T | undefined>;
  readonly write: (value: T) => unknown;
  /** Unsets it; needed where it may not be set before, for the way back. */
  readonly remove?: () => unknown;
}

/** A file, or something of one's own. */
export type ConfigPlace<T> = string | ConfigValue<T>;

export type AnyPlace = ConfigPlace<never>;

export function placeProblems(found: Problems, place: unknown): void {
  const remedy = "write the path of a file, or { name, read, write, remove? }";
  if (typeof place === "string") {
    if (place === "" || place.includes("\0")) found.add("place", "the path of a file", place, remedy);
    return;
  }
  if (typeof place !== "object" || place === null || Array.isArray(place)) {
    found.add("place", "the path of a file or { name, read, write }", place, remedy);
    return;
  }
  const { name, read, write, remove, ...unknown } = place as Partial<ConfigValue<never>>;
  if (typeof name !== "string" || name.trim() === "" || name.length > 200)
    found.add("place.name", "a name of 1 to 200 characters", name, "name it for people and records");
  for (const [part, given] of Object.entries({ read, write, remove }))
    if (typeof given !== "function" && (part !== "remove" || given !== undefined))
      found.add(`place.${part}`, "a function", given, remedy);
  for (const key of Object.keys(unknown))
    found.add(`place.${key}`, "left out", key, `remove "${key}": it would do nothing`);
}

export const placeName = (place: unknown): string =>
  typeof place === "string"
    ? place
    : String((place as Partial<ConfigValue<never>> | null)?.name ?? "a place");

/** `.json` and `.yaml` as such, other files as text. */
export function formatOf(place: unknown): ConfigFormat {
  if (typeof place !== "string") return "value";
  const ending = extname(place).toLowerCase();
  if (ending === ".json" || ending === ".jsonc") return "json";
  return ending === ".yaml" || ending === ".yml" ? "yaml" : "text";
}

/** A place as a step works on it, in bytes. */
export interface OpenedPlace {
  readonly name: string;
  /** What stands there; undefined: nothing. */
  read(): Promise<Buffer | undefined>;
  /** `least`: looked at once more before the write, and refused where it is not as expected any more. */
  write(bytes: Uint8Array, look: (now: Uint8Array | undefined) => void): Promise<void>;
  remove(): Promise<void>;
  /** Removes what a killed write left. */
  tidy(): Promise<void>;
  /** The same for what means the same. */
  digest(bytes: Uint8Array): string;
}

/** `mark` names what lies beside a file for a moment, the same for all attempts of a step. */
export async function openPlace(place: AnyPlace, mark: string): Promise<OpenedPlace> {
  return typeof place === "string" ? await filePlace(place, mark) : valuePlace(place);
}

async function filePlace(path: string, mark: string): Promise<OpenedPlace> {
  const given = resolve(path);
  // A link stays one: what it points to is written.
  const file = await realpath(given).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return given;
    throw told(error, given);
  });
  const young = join(dirname(file), `.${basename(file).slice(0, 100)}.${sha256(mark).slice(0, 8)}.new`);
  const remove = (name: string): Promise<void> =>
    tell(name, async () => {
      await rm(name, { force: true });
      await syncFolder(dirname(name));
    });
  return {
    name: path,
    read: () =>
      tell(file, async () => {
        const found = await readIfThere(file);
        // A file that could not be made is told before anything is begun.
        if (found === undefined) await lstat(dirname(file));
        return found;
      }),
    write: (bytes, look) =>
      tell(file, async () => {
        const like = await lstat(file).catch(() => undefined);
        await rm(young, { force: true });
        {
          await using handle = await open(young, "wx", like === undefined ? 0o666 : like.mode & 0o7777);
          await handle.writeFile(bytes);
          if (like !== undefined) {
            // Only who may give files away can keep another owner; the rights count for everybody.
            await handle.chown(like.uid, like.gid).catch(() => {});
            await handle.chmod(like.mode & 0o7777);
          }
          await handle.sync();
        }
        faultPoint("data.configure.before-write");
        look(await readIfThere(file));
        await rename(young, file);
        await syncFolder(dirname(file));
      }),
    remove: () => remove(file),
    tidy: () => tell(young, () => unlink(young)).catch(() => {}),
    digest: (bytes) => sha256(bytes),
  };
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function syncFolder(dir: string): Promise<void> {
  await using handle = await open(dir, "r");
  await handle.sync();
}

function valuePlace({ name, read, write, remove }: ConfigValue<never>): OpenedPlace {
  const get = async (): Promise<Buffer | undefined> => {
    const found: unknown = await own(name, "read", read);
    if (found === undefined) return undefined;
    const text = JSON.stringify(found) as string | undefined;
    if (text === undefined || canonicalJson(JSON.parse(text)) !== canonicalJson(found))
      throw new CutoverError("CUTOVER_DATA_OPTIONS", {
        message: `expected \`read\` to give JSON, found ${typeof found}`,
        place: name,
        remedy: "give what can be written again from its JSON text",
      });
    return Buffer.from(text);
  };
  return {
    name,
    read: get,
    write: async (bytes, look) => {
      faultPoint("data.configure.before-write");
      look(await get());
      const value: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
      await own(name, "write", () => write(value as never));
    },
    remove: async () => {
      if (remove === undefined) throw noRemove(name);
      await own(name, "remove", remove);
    },
    tidy: () => Promise.resolve(),
    digest: (bytes) => sha256(canonicalJson(JSON.parse(Buffer.from(bytes).toString("utf8")))),
  };
}

export const noRemove = (name: string): CutoverError =>
  new CutoverError("CUTOVER_DATA_OPTIONS", {
    message: `expected "${name}" to be set already or to have \`remove\`, found neither: there would be no way back`,
    place: name,
    remedy: "give { name, read, write, remove }",
  });

async function own(name: string, part: string, call: () => unknown): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    if (isCutoverError(error)) throw error;
    throw new CutoverError("CUTOVER_DATA_IO", {
      message: `\`${part}\` of "${name}" threw: ${asError(error).message}`,
      place: name,
      cause: error,
    });
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

async function tell<T>(place: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw told(error, place);
  }
}

/** What the file system refuses, as errors of ours. */
function told(error: unknown, place: string): Error {
  if (isCutoverError(error)) return error;
  const code = codeOf(error) ?? "";
  const full = ["ENOSPC", "EDQUOT", "EFBIG"].includes(code);
  const denied = ["EACCES", "EPERM", "EROFS"].includes(code);
  const missing = ["ENOENT", "ENOTDIR"].includes(code);
  const expected = full
    ? "room on the disk"
    : denied
      ? "to read and write there"
      : missing
        ? "the folder of the file to be there"
        : "a file";
  return new CutoverError(
    full
      ? "CUTOVER_DATA_FULL"
      : denied
        ? "CUTOVER_DATA_DENIED"
        : missing
          ? "CUTOVER_DATA_MISSING"
          : "CUTOVER_DATA_IO",
    {
      message: `expected ${expected}, found ${code === "EISDIR" ? "a folder" : code || asError(error).message}`,
      place,
      ...(missing ? { remedy: "make the folder first, or correct the path" } : {}),
      cause: error,
    },
  );
}
