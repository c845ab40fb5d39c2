import { CutoverError } from "../core/index.ts";
import type { Store } from "../store/index.ts";

/**
 * What moves a run forward is read from rows: they count only while they are what its events make of them.
 * @throws CUTOVER_AUDIT_BROKEN naming the first row or event of the run that was edited
 */
export async function requireSoundRecord(store: Store, run: string): Promise<void> {
  const found = await store.events.verify({ run });
  if (found.whole) return;
  const { brokenAt, reason, row } = found;
  throw new CutoverError("CUTOVER_AUDIT_BROKEN", {
    message: `expected the record of run ${run} as its events tell it, found it edited: ${reason}`,
    details: { run, brokenAt, reason, ...(row === undefined ? {} : { row: { ...row } }) },
    place: `run ${run}`,
    ...(row === undefined ? {} : { remedy: "make the rows anew from the events: `cutover audit rebuild`" }),
  });
}
