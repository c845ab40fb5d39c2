import { asError, CutoverError } from "../../core/index.ts";
import { textArray } from "./arrays.ts";
import { sharedConnection, sqlStateOf } from "./postgres-error.ts";
import { refuseNewer, tableNames } from "./schema.ts";
import type { Session } from "./session.ts";
import { ownSchema } from "./statement-text.ts";

/**
 * For a write that has not found the end of the chain, in its transaction: says why.
 * @throws CUTOVER_STORE_UNAVAILABLE when the connection is set to another schema than it was
 * @throws CUTOVER_STORE_NEWER when a newer program has made a breaking change
 * @throws CUTOVER_STORE_CORRUPT else
 */
export async function refuseHeadless(session: Session): Promise<never> {
  await refuseOtherSchema(session);
  await refuseNewer(session);
  throw new CutoverError("CUTOVER_STORE_CORRUPT", {
    message: "expected the head record of the event chain, found none",
  });
}

/**
 * As a connection is that a pooler has given to somebody else, too.
 * @throws CUTOVER_STORE_UNAVAILABLE when it is set to another schema than it was
 */
export async function refuseOtherSchema(session: Session): Promise<void> {
  const [answer] = await session.send([
    {
      sql: `SELECT current_schema() AS name WHERE current_schema() IS DISTINCT FROM '${ownSchema}'`,
      values: [],
      wants: "rows",
    },
  ]);
  const [other] = answer?.rows ?? [];
  if (other !== undefined) throw sharedConnection(`one that is set to schema ${String(other["name"])}`);
}

/**
 * What an error says of a connection: a table that was not found, though the store has all of its tables, was looked for
 * in another schema. Any other error says what it says.
 */
export async function explained(session: Session | undefined, thrown: unknown): Promise<unknown> {
  if (session === undefined || session.lost !== undefined || sqlStateOf(thrown) !== "42P01") return thrown;
  const [looked] = await session.settle([
    {
      sql: `SELECT 1 AS missing FROM unnest($1::text[]) AS own (name)
        WHERE to_regclass('"${ownSchema}".' || own.name) IS NULL LIMIT 1`,
      values: [textArray(tableNames)],
      wants: "rows",
    },
  ]);
  const isWhole = looked?.ok === true && looked.answer.rows.length === 0;
  return isWhole ? sharedConnection(`${asError(thrown).message}, though the store has it`, thrown) : thrown;
}
