import { asError, CutoverError, postgresAddressProblem } from "../../core/index.ts";
import { numbersAsNumbers, type PgDriver } from "./driver.ts";

/**
 * Looks at an address before anything is done with it.
 * @param more parameters that are not for `pg`
 * @throws CUTOVER_STORE_UNAVAILABLE
 */
export function checkAddress(address: string, more: readonly string[] = []): void {
  const problem = postgresAddressProblem(address, more);
  if (problem !== undefined) throw refused(problem.message, problem.remedy);
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
      keepAliveInitialDelayMillis: 0,
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
