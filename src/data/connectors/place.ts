import { lstatSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { asError, CutoverError, isCutoverError } from "../../core/index.ts";

/** Whether there is a file, a folder, or nothing. @throws CUTOVER_DATA_DENIED */
export function whatIsAt(path: string, place: string): "file" | "folder" | "nothing" {
  try {
    return lstatSync(path, { throwIfNoEntry: true }).isDirectory() ? "folder" : "file";
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return "nothing";
    throw storeError(error, place);
  }
}

/** @throws CUTOVER_DATA_MISSING unless `create` was said; then makes the folder above */
export function demand(
  found: "file" | "folder" | "nothing",
  path: string,
  place: string,
  create: boolean,
): void {
  if (found !== "nothing") return;
  if (!create)
    throw new CutoverError("CUTOVER_DATA_MISSING", {
      message: `expected a store at ${path}, found nothing there`,
      place,
      remedy: "correct the path; a target is made when it is opened to be created",
    });
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (error) {
    throw storeError(error, place);
  }
}

export function wrongKind(place: string, expected: string, found: string, cause?: unknown): CutoverError {
  return new CutoverError("CUTOVER_DATA_FORMAT", {
    message: `expected ${expected}, found ${found}`,
    place,
    cause,
  });
}

export function closedStore(place: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_CLOSED", {
    message: "expected an open store, found one that was closed",
    place,
  });
}

const causes: readonly (readonly [
  RegExp,
  "CUTOVER_DATA_DENIED" | "CUTOVER_DATA_FULL" | "CUTOVER_DATA_FORMAT",
])[] = [
  [
    /\bEACCES\b|\bEPERM\b|\bEROFS\b|permission denied|read-only file system|operation not permitted/i,
    "CUTOVER_DATA_DENIED",
  ],
  [
    /\bENOSPC\b|\bEDQUOT\b|no space left|disk (is )?full|MDB_MAP_FULL|mapsize limit|quota exceeded/i,
    "CUTOVER_DATA_FULL",
  ],
  [
    /corrupt|MDB_INVALID|MDB_VERSION_MISMATCH|not a database|malformed|checksum mismatch|bad magic/i,
    "CUTOVER_DATA_FORMAT",
  ],
];

/**
 * What a driver or the operating system said, under a code. Drivers give most of it as text only, so the words of
 * strerror(3) are looked for.
 */
export function storeError(error: unknown, place: string): CutoverError {
  if (isCutoverError(error)) return error;
  const texts: string[] = [];
  for (let cause = asError(error) as Error & { code?: unknown }; ; cause = asError(cause.cause)) {
    texts.push(`${typeof cause.code === "string" ? `${cause.code} ` : ""}${cause.message}`);
    if (!(cause.cause instanceof Error)) break;
  }
  const all = texts.join(": ");
  const code = causes.find(([words]) => words.test(all))?.[1] ?? "CUTOVER_DATA_IO";
  return new CutoverError(code, { message: `${place}: ${texts.at(-1) ?? all}`, place, cause: error });
}
