import {
  asError,
  CutoverError,
  type ErrorCode,
  isCutoverError,
  type JsonObject,
} from "../../../core/index.ts";

interface Meaning {
  readonly code: ErrorCode;
  readonly expected: string;
  readonly remedy?: string;
}

const gone: Meaning = {
  code: "CUTOVER_DATA_UNAVAILABLE",
  expected: "expected a PostgreSQL server that answers",
};
const denied = (expected: string, remedy: string): Meaning => ({
  code: "CUTOVER_DATA_DENIED",
  expected,
  remedy,
});
const changed: Meaning = {
  code: "CUTOVER_DATA_SCHEMA_CHANGED",
  expected: "expected tables and columns as they were when the store was opened",
};
const slotGone: Meaning = {
  code: "CUTOVER_DATA_SLOT_LOST",
  expected: "expected the changes that the slot kept",
};

const unread: Meaning = {
  code: "CUTOVER_DATA_ADDRESS",
  expected: "expected an address whose port is one and whose files can be read",
  remedy: "correct port, sslrootcert, sslcert and sslkey in the address",
};
const unencrypted: Meaning = {
  code: "CUTOVER_DATA_UNAVAILABLE",
  expected: "expected a server that encrypts, as the address asks",
  remedy: "take ssl and sslmode out of the address, or switch `ssl` on at the server",
};
const untrusted: Meaning = {
  code: "CUTOVER_DATA_UNAVAILABLE",
  expected: "expected a certificate of the server that this machine trusts",
  remedy: "name the authority that signed it by sslrootcert=FILE in the address, and the server as it does",
};

const full: Meaning = {
  code: "CUTOVER_DATA_FULL",
  expected: "expected room for the write; nothing of it was kept",
};

/** By SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const meanings: Readonly<Record<string, Meaning>> = {
  "28P01": denied("expected the server to accept user and password", "correct them in the address"),
  "28000": denied(
    "expected the server to let this user in",
    "correct the user in the address, or pg_hba.conf",
  ),
  "42501": denied(
    "expected the rights that moving data needs",
    "GRANT what the message names; capture needs the attribute REPLICATION and ownership of the tables",
  ),
  "25006": denied("expected a server that takes writes", "give the address of the primary"),
  "3D000": {
    code: "CUTOVER_DATA_MISSING",
    expected: "expected the database to exist",
    remedy: "make it with `createdb`, or correct its name in the address",
  },
  "53100": full,
  "42P01": changed,
  "42703": changed,
  "3F000": changed,
  "58P01": slotGone,
  CUF01: { code: "CUTOVER_DATA_FENCED", expected: "expected a writer of the epoch in charge" },
};
const classes: Readonly<Record<string, Meaning>> = {
  "08": gone,
  "53": gone,
  "57": gone,
  "22": { code: "CUTOVER_DATA_REFUSED", expected: "expected values that the table takes" },
  "23": { code: "CUTOVER_DATA_REFUSED", expected: "expected a row that keeps the table's constraints" },
  "54": { code: "CUTOVER_DATA_REFUSED", expected: "expected a row within the limits of the server" },
  XX: { code: "CUTOVER_DATA_FORMAT", expected: "expected a database that is whole" },
};
const systemCodes: RegExp = /^(ECONN\w+|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENET\w+|ENOTFOUND|EAI_AGAIN|ENOENT)$/;
/** The driver has no codes of its own; by these texts it says that a connection is gone. */
const goneTexts: RegExp =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|timeout expired|the connection was ended)/;

/** What Node says of certificates and the handshake; others of its codes are of files and ports that the address names. */
const tlsCodes: RegExp =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+|CERT_\w+|ERR_TLS_\w+|ERR_SSL_\w+|HOSTNAME_MISMATCH|EPROTO)$/;

/** What the server adds to an error. */
interface ServerError {
  readonly code?: string;
  readonly severity?: string;
  readonly table?: string;
  readonly column?: string;
  readonly constraint?: string;
  readonly where?: string;
  readonly routine?: string;
}

/** SQLSTATE, or the code of the system. */
export function stateOf(thrown: unknown): string | undefined {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) return stateOf(thrown.errors[0]);
  const { code } = (thrown ?? {}) as ServerError;
  return typeof code === "string" ? code : undefined;
}

function meaningOf(thrown: unknown): Meaning | undefined {
  const state = stateOf(thrown);
  if (state !== undefined) {
    if (state === "ERR_SOCKET_BAD_PORT" || (thrown as NodeJS.ErrnoException).syscall === "open")
      return unread;
    if (tlsCodes.test(state)) return untrusted;
    if (systemCodes.test(state)) return gone;
    // A quota or a limit of the file system has no code of its own; the server's place in its sources tells it in every language.
    if (/^md(zero)?extend/.test(((thrown ?? {}) as ServerError).routine ?? "")) return full;
    const found = meanings[state] ?? (/^[0-9A-Z]{5}$/.test(state) ? classes[state.slice(0, 2)] : undefined);
    if (found !== undefined) return found;
  }
  if (thrown instanceof Error && /does not support SSL/.test(thrown.message)) return unencrypted;
  if (/^(FATAL|PANIC)$/.test(((thrown ?? {}) as ServerError).severity ?? "")) return gone;
  return thrown instanceof Error && goneTexts.test(thrown.message) ? gone : undefined;
}

/** True when the connection or the server went away: connecting again may help. */
export function isGone(thrown: unknown): boolean {
  if (isCutoverError(thrown)) return thrown.code === "CUTOVER_DATA_UNAVAILABLE";
  return meaningOf(thrown)?.code === "CUTOVER_DATA_UNAVAILABLE";
}

/** True when a value, not the server, is the reason. */
export function isOfData(thrown: unknown): boolean {
  return !isCutoverError(thrown) && meaningOf(thrown)?.code === "CUTOVER_DATA_REFUSED";
}

/** Of a COPY: the number of the row at which it failed, from 1 on; `COPY TABLE, line 7, column c: …` in the server's language. */
export function lineOf({ table }: { readonly table: string }, thrown: unknown): number | undefined {
  const { where = "" } = (thrown ?? {}) as ServerError;
  const begin = `COPY ${table}, `;
  const line = where.startsWith(begin) ? /\d+/.exec(where.slice(begin.length))?.[0] : undefined;
  return line === undefined ? undefined : Number(line);
}

/**
 * What the driver threw, as the error of the store's door; a `CutoverError` stays itself.
 * @param row which one it is about, for people
 */
export function dataError(
  thrown: unknown,
  place: string,
  about: JsonObject = {},
  row?: string,
): CutoverError {
  if (isCutoverError(thrown)) return thrown;
  const { code, expected, remedy } = meaningOf(thrown) ?? {
    code: "CUTOVER_INTERNAL" as const,
    expected: "expected PostgreSQL to carry out the statement",
    remedy: undefined,
  };
  const { table, column, constraint } = (thrown ?? {}) as ServerError;
  const state = stateOf(thrown);
  const details: JsonObject = {
    ...about,
    ...(state === undefined ? {} : { postgres: state }),
    ...(table === undefined ? {} : { table }),
    ...(column === undefined ? {} : { column }),
    ...(constraint === undefined ? {} : { constraint }),
  };
  return new CutoverError(code, {
    message: `${expected}, found${row === undefined ? "" : ` in ${row}`}: ${textOf(thrown)}`,
    place,
    details,
    cause: thrown,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

function textOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) return textOf(thrown.errors[0]);
  const { message } = asError(thrown);
  return message === "" ? (stateOf(thrown) ?? "an error without a text") : message;
}
