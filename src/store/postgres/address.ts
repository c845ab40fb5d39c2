import { asError, CutoverError } from "../../core/index.ts";
import { numbersAsNumbers, type PgDriver } from "./driver.ts";

/**
 * What `pg` acts on. It takes every parameter of an address as an option and before those it is given, so any other
 * could undo what the store relies on; one that is misspelt (`shema=`) would lead to another place without a word.
 */
const parameters: readonly string[] = [
  "host",
  "options",
  "password",
  "port",
  "ssl",
  "sslcert",
  "sslkey",
  "sslmode",
  "sslnegotiation",
  "sslrootcert",
  "uselibpqcompat",
  "user",
];

/**
 * Looks at an address before anything is done with it. No message repeats a part of it that could belong to a password:
 * with `/`, `?` or `#` in it as they are, its end would pass for host, database or parameter.
 * @param more parameters that are not for `pg`
 * @throws CUTOVER_STORE_UNAVAILABLE
 */
export function checkAddress(address: string, more: readonly string[] = []): void {
  if (!/^postgres(ql)?:\/\//.test(address) || !URL.canParse(address)) {
    throw refused(
      "expected an address like postgres://USER@HOST:PORT/DATABASE, found one that cannot be read",
      "write what is not a letter or digit in user and password as %xx (`encodeURIComponent`)",
    );
  }
  const { hash, pathname, search, searchParams, username, password } = new URL(address);
  if (
    hash !== "" ||
    [pathname, search].some((part) => part.includes("@")) ||
    !isEncoded(username, password)
  ) {
    throw refused(
      "expected one @ in the address, and no # or bare %, found more",
      "write /, ?, #, @ and % in user, password and database as %2F, %3F, %23, %40 and %25",
    );
  }
  const unknown = [...searchParams.keys()].find((name) => !parameters.includes(name) && !more.includes(name));
  if (unknown !== undefined) {
    throw refused(
      `expected parameters that are known in the address, found ${JSON.stringify(unknown)}`,
      `take it out; known are ${parameters.join(", ")}, and schema where a store is opened by its address alone`,
    );
  }
}

/**
 * Whether the driver takes the address: it throws bare errors for values of parameters, and looks for certificates.
 * @throws CUTOVER_STORE_UNAVAILABLE
 */
export function checkParameters({ Client }: PgDriver, address: string): void {
  try {
    // Connects to nothing yet.
    new Client({
      connectionString: address,
      application_name: "cutover",
      connectionTimeoutMillis: 0,
      keepAlive: false,
      pipeline: false,
      types: numbersAsNumbers,
    });
  } catch (error) {
    throw refused(
      `expected parameters of the address that the driver takes, found: ${asError(error).message}`,
      "correct them in the store's address",
      error,
    );
  }
}

function isEncoded(...parts: readonly string[]): boolean {
  try {
    for (const part of parts) decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}

const refused = (message: string, remedy: string, cause?: unknown): CutoverError =>
  new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
    message,
    remedy,
    ...(cause === undefined ? {} : { cause }),
  });

/** The address without user, password and parameters, for people. */
export function placeOf(address: string, schema: string): string {
  const { host, pathname } = new URL(address);
  return `${host}${pathname} schema ${schema}`;
}
