import { CutoverError } from "../../core/index.ts";
import type { Collection, Reader } from "../connector.ts";

/** Where a backup is to go. */
interface FitTarget {
  readonly name: string;
  /** Undefined: it is made by the restore, and holds nothing. */
  readonly store: Pick<Reader, "collections" | "scan"> | undefined;
  /** Collections that it does not have are made, for rows without columns. */
  readonly makes: boolean;
  /** Rows that lie there are no reason to refuse: they are replaced, or of an earlier attempt. */
  readonly mayHoldRows: boolean;
}

/**
 * Whether the target can take these collections of a backup, or of what one is to be made of. Nothing is written.
 * @throws CUTOVER_DATA_COLLECTION when one of both lacks one, or the columns are others; CUTOVER_DATA_NOT_EMPTY
 */
export async function requireFit(
  from: Pick<Reader, "name" | "collections">,
  names: readonly string[],
  target: FitTarget,
): Promise<void> {
  const ours = new Map((await from.collections()).map((each) => [each.name, each]));
  const theirs = new Map((await target.store?.collections())?.map((each) => [each.name, each]));
  for (const name of names) {
    const our = ours.get(name);
    const to = theirs.get(name) ?? (target.makes ? { name } : undefined);
    if (our === undefined || to === undefined || to.problem !== undefined)
      throw new CutoverError("CUTOVER_DATA_COLLECTION", {
        message: `expected a collection "${name}" in ${our === undefined ? from.name : target.name}, found ${to?.problem ?? "none of that name"}`,
        place: our === undefined ? from.name : target.name,
        details: { collection: name },
        ...(our === undefined
          ? {}
          : { remedy: "make it there first, with the columns it had, then restore again" }),
      });
    sameColumns(our, to, target.name);
    if (target.mayHoldRows || !theirs.has(name)) continue;
    if (await anyRow(target.store, name))
      throw new CutoverError("CUTOVER_DATA_NOT_EMPTY", {
        message: `expected no rows in collection "${name}" of the target, found some`,
        place: target.name,
        details: { collection: name },
        remedy:
          "name an empty target, or say that its rows are to be replaced by those of the backup (--replace)",
      });
  }
}

/** Whether a collection holds a row; no store holds none. */
export async function anyRow(store: FitTarget["store"], collection: string): Promise<boolean> {
  for await (const rows of store?.scan({ collection }) ?? []) if (rows.length > 0) return true;
  return false;
}

/** A value holds the columns in their order: other columns would give other values. */
function sameColumns(from: Collection, to: Collection, place: string): void {
  const shape = ({ columns }: Collection): string =>
    (columns ?? []).map(({ name, type, key }) => `${name} ${type}${key > 0 ? ` key ${key}` : ""}`).join(", ");
  const [wanted, found] = [shape(from), shape(to)];
  if (wanted === found) return;
  throw new CutoverError("CUTOVER_DATA_COLLECTION", {
    message: `expected "${from.name}" to have ${wanted === "" ? "no columns" : `the columns ${wanted}`}, found ${found === "" ? "none" : found}`,
    place,
    details: { collection: from.name },
    remedy: "give the target's table the columns that the backup has, in that order",
  });
}
