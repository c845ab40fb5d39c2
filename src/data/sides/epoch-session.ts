import { CutoverError } from "../../core/index.ts";

/**
 * The setting by which a session of PostgreSQL says under which epoch it writes, for the place where connections take their
 * options. For programs that connect anew after a turn; others say it with each transaction (`postgresSides`).
 *
 * @example
 * new pg.Pool({ connectionString, options: epochOption(7) })
 * @throws CUTOVER_DATA_OPTIONS for an epoch that is no whole number from 0 on
 */
export function epochOption(epoch: number): string {
  return `-c cutover.epoch=${checked(epoch)}`;
}

/** Begins a transaction under an epoch, in one message. It ends with the transaction, so that pools in between may share sessions. */
export function beginUnder(epoch: number, isolation?: string): string {
  return `BEGIN${level(isolation)}; SET LOCAL cutover.epoch = '${checked(epoch)}'`;
}

export function beginReading(isolation?: string): string {
  return `BEGIN${level(isolation)} READ ONLY`;
}

const level = (isolation: string | undefined): string =>
  isolation === undefined ? "" : ` ISOLATION LEVEL ${isolation.toUpperCase()}`;

function checked(epoch: number): number {
  if (Number.isSafeInteger(epoch) && epoch >= 0) return epoch;
  throw new CutoverError("CUTOVER_DATA_OPTIONS", {
    message: `expected an epoch that is a whole number from 0 on, found ${String(epoch)}`,
    place: "epoch",
  });
}
