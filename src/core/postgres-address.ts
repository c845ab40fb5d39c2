/**
 * What `pg` acts on. It takes every parameter of an address as an option and before those it is given, so any other
 * could undo what we rely on; one that is misspelt (`shema=`) would lead to another place without a word.
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

export interface AddressProblem {
  readonly message: string;
  readonly remedy: string;
}

/**
 * What is wrong with an address of PostgreSQL, looked at before anything is done with it; undefined when nothing is. No
 * message repeats a part of it that could belong to a password: with `/`, `?` or `#` in it as they are, its end would
 * pass for host, database or parameter.
 * @param more parameters that are not for `pg`
 */
export function postgresAddressProblem(address: string, more: readonly string[]): AddressProblem | undefined {
  const hosts = problemOfHosts(address);
  if (hosts !== undefined) return hosts;
  if (!/^postgres(ql)?:\/\//.test(address) || !URL.canParse(address))
    return {
      message: "expected an address like postgres://USER@HOST:PORT/DATABASE, found one that cannot be read",
      remedy:
        "write it so, and what is not a letter or digit in user and password as %xx (`encodeURIComponent`)",
    };
  const { hash, pathname, search, searchParams, username, password } = new URL(address);
  const bare = [pathname, search].some((part) => part.includes("@"));
  if (hash !== "" || bare || !isEncoded(username, password, pathname))
    return {
      message: "expected one @ in the address, and no # or bare %, found more",
      remedy: "write /, ?, #, @ and % in user, password and database as %2F, %3F, %23, %40 and %25",
    };
  const unknown = [...searchParams.keys()].find((name) => !parameters.includes(name) && !more.includes(name));
  if (unknown === undefined) return undefined;
  const known = [...parameters, ...more].join(", ");
  return {
    message: `expected parameters that are known in the address, found ${JSON.stringify(unknown)}`,
    remedy: `take it out; known here are ${known}`,
  };
}

/** What other programs take, as `psql` does, and `pg` does not. An @ that follows says that a password was read as hosts. */
function problemOfHosts(address: string): AddressProblem | undefined {
  const parts = /^postgres(?:ql)?:\/\/([^/?#]*@)?([^/?#@]*)([^@]*)$/.exec(address);
  if (parts === null) return undefined;
  const [, user, host = "", rest = ""] = parts;
  if (host.includes(",") || /[?&]host=[^&]*(,|%2c)/i.test(rest))
    return {
      message: "expected one host in the address, found several",
      remedy: "name one; to follow the primary among several, a proxy or a name that leads to it",
    };
  if (user === undefined || host !== "") return undefined;
  return {
    message: "expected a host behind the @ of the address, found none",
    remedy: "name it; for a socket of this machine write postgres:///DATABASE?host=/FOLDER&user=USER",
  };
}

function isEncoded(...parts: readonly string[]): boolean {
  try {
    for (const part of parts) decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}
