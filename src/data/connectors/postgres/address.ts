import { CutoverError, postgresAddressProblem } from "../../../core/index.ts";

/** Where a database is: what the driver takes, and what people may read. */
export interface PostgresAddress {
  /** Without the parameters that are ours. */
  readonly url: string;
  /** `postgres:HOST:PORT/DATABASE`: no user, no password. */
  readonly name: string;
  /** Of the parameter `schema`, separated by commas; undefined: all of the user's schemas. */
  readonly schemas: readonly string[] | undefined;
}

/**
 * Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE?schema=A,B`. No message repeats a part that could belong to a password.
 * @throws CUTOVER_DATA_ADDRESS
 */
export function readAddress(address: string): PostgresAddress {
  const problem = postgresAddressProblem(address, ["schema"]);
  if (problem !== undefined) throw refused(problem.message, problem.remedy);
  const url = new URL(address);
  const given = url.searchParams.getAll("schema").flatMap((list) => list.split(","));
  const schemas = given.map((name) => name.trim());
  if (schemas.includes(""))
    throw refused('expected names of schemas after "schema=", found an empty one', "write schema=A,B");
  url.searchParams.delete("schema");
  const host = url.host === "" ? (url.searchParams.get("host") ?? "localhost") : url.host;
  const name = `postgres:${host}${decodeURIComponent(url.pathname)}`;
  return { url: url.href, name, schemas: schemas.length === 0 ? undefined : schemas };
}

function refused(message: string, remedy: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_ADDRESS", { message, remedy });
}
