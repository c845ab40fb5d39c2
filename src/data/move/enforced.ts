import { CutoverError } from "../../core/index.ts";
import type { Enforced, Reader } from "../connector.ts";

/** What of it all stands in the way, for people. */
export const enforcedText = ({ foreignKeys, triggers }: Enforced): string =>
  [...foreignKeys, ...triggers].join(", ");

/**
 * Refuses to write to collections where something acts on rows as they come that may not be switched off.
 *
 * @param of which of it stands in the way
 * @throws CUTOVER_DATA_DENIED naming collection and what acts
 */
export async function requireFree(
  target: Reader,
  names: readonly string[],
  of: (enforced: Enforced) => readonly string[],
): Promise<void> {
  for (const { name, enforced } of await target.collections()) {
    if (enforced === undefined || !names.includes(name)) continue;
    const found = of(enforced);
    if (found.length === 0) continue;
    throw new CutoverError("CUTOVER_DATA_DENIED", {
      message: `expected to write to "${name}" of ${target.name} without its foreign keys and triggers, found that this user may not switch them off: ${found.join(", ")}`,
      place: target.name,
      details: { collection: name, enforced: [...found] },
      remedy:
        "GRANT SET ON PARAMETER session_replication_role to the user of the address (PostgreSQL 15 or later), or make foreign keys and triggers when the move is over",
    });
  }
}
