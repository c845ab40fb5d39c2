import { CutoverError, type ErrorCode, isCutoverError } from "../../core/index.ts";

/**
 * What can be done after a failure. `lost`: the connection is gone, or the server is: connect again. `again`: the server
 * took the transaction back for the sake of others: run it again. `final`: it would fail the same way again.
 */
export type Trouble = "lost" | "again" | "final";

interface Meaning {
  readonly code: ErrorCode;
  readonly expected: string;
  readonly remedy?: string;
  readonly trouble?: Trouble;
}

const unavailable = (expected: string, remedy: string, trouble?: Trouble): Meaning => ({
  code: "CUTOVER_STORE_UNAVAILABLE",
  expected,
  remedy,
  ...(trouble === undefined ? {} : { trouble }),
});

const running = unavailable(
  "expected a PostgreSQL server that answers",
  "start the server, or correct host and port of the store's address",
  "lost",
);
const silent = unavailable(
  "expected a PostgreSQL server that answers",
  "look whether host and port of the store's address are right, what keeps the server busy, and whether a pooler has connections left: a process takes three to five",
  "lost",
);
const crowded = unavailable(
  "expected a free connection",
  "raise the limit that is reached, max_connections of the server, CONNECTION LIMIT of the role or the database, or that of a pooler: a process takes three to five",
  "lost",
);
const quiet = unavailable(
  "expected the transaction to go through among those of others",
  "look which transactions are open for long (pg_stat_activity), then try again",
  "again",
);

const wrongPort = unavailable(
  "expected an address whose port is one",
  "correct the port in the store's address",
);
const unencrypted = unavailable(
  "expected a server that encrypts, as the store's address asks",
  "take ssl and sslmode out of the address, or switch `ssl` on at the server",
);
const passwordless = unavailable(
  "expected a password, for which the server asks",
  "put it into the store's address, or into the environment as PGPASSWORD",
);
const untrusted = unavailable(
  "expected a certificate of the server that this machine trusts",
  "name the authority that signed it by sslrootcert=FILE in the store's address, and the server as it does",
);

const shared = unavailable(
  "expected a connection that stays the same",
  "connect straight to the server, or through the pooler in session mode",
);

/** By SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html) and by code of the system. */
const meanings: Readonly<Record<string, Meaning>> = {
  "28P01": unavailable(
    "expected the server to accept user and password",
    "correct them in the store's address",
  ),
  "28000": unavailable(
    "expected the server to let this user in",
    "correct the user in the store's address, or pg_hba.conf of the server",
  ),
  "3D000": unavailable("expected the database to exist", "make it with `createdb`, or correct its name"),
  "42501": unavailable(
    "expected the rights to use the store's schema",
    "let its owner GRANT CREATE on the database, or USAGE on the schema and all rights on its tables",
  ),
  "25006": {
    ...running,
    expected: "expected a server that takes writes",
    remedy: "give the address of the primary",
  },
  "53100": { code: "CUTOVER_STORE_FULL", expected: "expected room for the write; nothing of it was kept" },
  "53300": crowded,
  "57014": unavailable(
    "expected the statement to end in time",
    "look what keeps the server busy (pg_stat_activity), then try again",
  ),
  "42P01": {
    code: "CUTOVER_STORE_CORRUPT",
    expected: "expected the tables of a Cutover store",
    remedy: "restore the schema from a backup, or name another one",
  },
  "26000": shared,
  "42P05": shared,
  "40001": quiet,
  "40P01": quiet,
  "55P03": quiet,
  "22021": {
    code: "CUTOVER_STORE_CONFLICT",
    expected: "expected text that PostgreSQL can store",
    remedy: "take NUL characters out of names",
  },
  "22P05": {
    code: "CUTOVER_STORE_CONFLICT",
    expected: "expected characters that the database's encoding has",
    remedy: "take them out, or move the store to a database made with ENCODING 'UTF8'",
  },
};
const classes: Readonly<Record<string, Meaning>> = {
  "08": running,
  "57": running,
  "53": { ...running, expected: "expected a server with resources left" },
  XX: { code: "CUTOVER_STORE_CORRUPT", expected: "expected a database that is whole" },
};
const systemCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENOENT",
]);
/** What Node says of certificates and the handshake. */
const tlsCodes: RegExp =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+|CERT_\w+|ERR_TLS_\w+|ERR_SSL_\w+|HOSTNAME_MISMATCH|EPROTO)$/;
/** The driver has no codes of its own; these are all texts by which it says that a connection is gone. */
const goneTexts: RegExp =
  /^(Connection terminated|Client has encountered a connection error|Client was closed)/;
const silentTexts: RegExp = /^(timeout expired|the server did not answer)/;
/** PgBouncer has one SQLSTATE for whatever it says itself, that of a broken protocol. */
const crowdedTexts: RegExp = /^no more connections allowed/;

function meaningOf(thrown: unknown): Meaning | undefined {
  const told = thrown instanceof Error ? thrown.message : "";
  if (crowdedTexts.test(told)) return crowded;
  const code = sqlStateOf(thrown);
  if (code !== undefined) {
    if (code === "ERR_SOCKET_BAD_PORT") return wrongPort;
    if (tlsCodes.test(code)) return untrusted;
    if (systemCodes.has(code)) return running;
    const found = meanings[code] ?? (/^[0-9A-Z]{5}$/.test(code) ? classes[code.slice(0, 2)] : undefined);
    if (found !== undefined) return found;
  }
  if (/does not support SSL/.test(told)) return unencrypted;
  if (/client password must be/.test(told)) return passwordless;
  // Whatever the reason, the server has ended the connection.
  if (/^(FATAL|PANIC)$/.test(severityOf(thrown))) return running;
  if (thrown instanceof AggregateError) return meaningOf(thrown.errors[0]);
  if (silentTexts.test(told)) return silent;
  return goneTexts.test(told) ? running : undefined;
}

export function troubleOf(thrown: unknown): Trouble {
  return isCutoverError(thrown) ? "final" : (meaningOf(thrown)?.trouble ?? "final");
}

/**
 * True when there is nobody left who could answer what was asked last: what became of it is not known. A server that refuses
 * a write for a reason of its own (read only, out of room), and so is to be left, has said that it did nothing. By its
 * SQLSTATE: the word for how bad it is comes in the server's language.
 */
export const isGone = (thrown: unknown): boolean =>
  troubleOf(thrown) === "lost" &&
  (!/^(25|53)[0-9A-Z]{3}$/.test(sqlStateOf(thrown) ?? "") || /^(FATAL|PANIC)$/.test(severityOf(thrown)));

/**
 * True unless it says something of the server or the store, and so of all calls alike: what is wrong may be a value of one
 * call of many, and the others can go on without it. That goes for what nobody knows a meaning of, too.
 */
export function mayBeOfOne(thrown: unknown): boolean {
  if (isCutoverError(thrown)) return thrown.code === "CUTOVER_STORE_CONFLICT";
  return isOfData(thrown) || meaningOf(thrown) === undefined;
}

function isOfData(thrown: unknown): boolean {
  const code = sqlStateOf(thrown);
  return code !== undefined && /^(21|22|23|42(?!P0[15])|54)[0-9A-Z]{3}$/.test(code);
}

/** A row with one of these keys is there already. */
export const isDuplicate = (thrown: unknown): boolean => sqlStateOf(thrown) === "23505";

/** A pooler has given a session's connection to others. @param found how that was seen */
export const sharedConnection = (found: string, cause?: unknown): CutoverError =>
  new CutoverError(shared.code, {
    message: `${shared.expected}, found ${found}`,
    ...(shared.remedy === undefined ? {} : { remedy: shared.remedy }),
    ...(cause === undefined ? {} : { cause }),
  });

/** What the driver threw, as the error of the store's door; a `CutoverError` stays itself. */
export function storeError(thrown: unknown, place: string): CutoverError {
  if (isCutoverError(thrown)) return thrown;
  const { code, expected, remedy } = meaningOf(thrown) ?? {
    code: "CUTOVER_INTERNAL" as const,
    expected: "expected PostgreSQL to carry out the statement",
    remedy: undefined,
  };
  const sqlState = sqlStateOf(thrown);
  return new CutoverError(code, {
    message: `${expected}, found: ${textOf(thrown)}`,
    details: sqlState === undefined ? {} : { postgres: sqlState },
    place,
    cause: thrown,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** Its SQLSTATE, or where no server spoke the code of the system. */
export function sqlStateOf(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}

const severityOf = (thrown: unknown): string =>
  (thrown as { readonly severity?: string } | null)?.severity ?? "";

function textOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) return textOf(thrown.errors[0]);
  return thrown instanceof Error && thrown.message !== ""
    ? thrown.message
    : String(sqlStateOf(thrown) ?? thrown);
}
