import { CutoverError } from "../../../core/index.ts";

/** Where a database is: what the driver takes, and what people may read. */
export interface PostgresAddress {
  /** Without the parameters that are ours. */
  readonly url: string;
  /** `postgres:HOST:PORT/DATABASE`: no user, no password. */
  readonly name: string;
  /** Of the parameter `schema`, separated by commas; undefined: all of the user's schemas. */
  readonly schemas: readonly string[] | undefined;
}

/** What the driver acts on; a parameter that is misspelt would be passed over without a word. */
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
 * Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE?schema=A,B`. No message repeats a part that could belong to a password.
 * @throws CUTOVER_DATA_ADDRESS
 */
export function readAddress(address: string): PostgresAddress {
  if (!/^postgres(ql)?:\/\//.test(address) || !URL.canParse(address))
    throw refused(
      "expected an address like postgres://USER@HOST:PORT/DATABASE, found one that cannot be read",
    );
  const url = new URL(address);
  const bare = [url.pathname, url.search].some((part) => part.includes("@"));
  if (url.hash !== "" || bare || !isEncoded(url.username, url.password, url.pathname))
    throw refused("expected one @ in the address and no # or bare %, found more");
  const unknown = [...url.searchParams.keys()].find(
    (name) => name !== "schema" && !parameters.includes(name),
  );
  if (unknown !== undefined)
    throw refused(
      `expected parameters that are known in the address, found ${JSON.stringify(unknown)}`,
      `take it out; known are schema, ${parameters.join(", ")}`,
    );
  const given = url.searchParams.getAll("schema").flatMap((list) => list.split(","));
  const schemas = given.map((name) => name.trim());
  if (schemas.includes("")) throw refused('expected names of schemas after "schema=", found an empty one');
  url.searchParams.delete("schema");
  const host = url.host === "" ? (url.searchParams.get("host") ?? "localhost") : url.host;
  const name = `postgres:${host}${decodeURIComponent(url.pathname)}`;
  return { url: url.href, name, schemas: schemas.length === 0 ? undefined : schemas };
}

function isEncoded(...parts: readonly string[]): boolean {
  try {
    for (const part of parts) decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}

function refused(
  message: string,
  remedy: string = "write what is not a letter or digit in user and password as %xx (`encodeURIComponent`)",
): CutoverError {
  return new CutoverError("CUTOVER_DATA_ADDRESS", { message, remedy });
}
