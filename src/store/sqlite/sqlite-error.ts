import { CutoverError, type ErrorCode, isCutoverError } from "../../core/index.ts";

/** Primary result codes of SQLite (https://sqlite.org/rescode.html) that mean something to a user. */
const codes: Readonly<Record<number, ErrorCode>> = {
  8: "CUTOVER_STORE_UNAVAILABLE", // READONLY
  10: "CUTOVER_STORE_UNAVAILABLE", // IOERR
  11: "CUTOVER_STORE_CORRUPT",
  13: "CUTOVER_STORE_FULL",
  14: "CUTOVER_STORE_UNAVAILABLE", // CANTOPEN
  26: "CUTOVER_STORE_CORRUPT", // NOTADB
};
const expectations: Readonly<Partial<Record<ErrorCode, string>>> = {
  CUTOVER_STORE_UNAVAILABLE: "expected a folder and file that can be read and written",
  CUTOVER_STORE_CORRUPT: "expected a whole SQLite database",
  CUTOVER_STORE_FULL: "expected room for the write; nothing of it was kept",
};

/** True while another process holds the lock this call needs (BUSY, also LOCKED). */
export function isBusy(thrown: unknown): boolean {
  const code = primaryCode(thrown);
  return code === 5 || code === 6;
}

/** What SQLite threw, as the error of the store's door; a `CutoverError` stays itself. */
export function storeError(thrown: unknown, place: string): CutoverError {
  if (isCutoverError(thrown)) return thrown;
  const primary = primaryCode(thrown);
  const found = thrown instanceof Error ? thrown.message : String(thrown);
  const code = (primary === undefined ? undefined : codes[primary]) ?? "CUTOVER_INTERNAL";
  const expected = expectations[code] ?? "expected SQLite to carry out the statement";
  const details = primary === undefined ? {} : { sqlite: primary };
  return new CutoverError(code, { message: `${expected}, found: ${found}`, details, place, cause: thrown });
}

function primaryCode(thrown: unknown): number | undefined {
  const code = (thrown as { errcode?: unknown } | null)?.errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}
