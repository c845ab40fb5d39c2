import { CutoverError } from "../core/index.ts";
import type { TargetWrite } from "./connector.ts";

/** The write with its packed rows each for itself behind the others: for who has to look at each. */
export function unpacked(write: TargetWrite): TargetWrite {
  const { packed, ...rest } = write;
  if (packed === undefined) return write;
  const { collection } = packed;
  const rows = packed.rows.rows().map(({ key, value }) => ({ collection, key, value }));
  return { ...rest, rows: [...write.rows, ...rows] };
}

/** CUTOVER_DATA_REFUSED for rows in a form that `packing` does not name: passed over they would be missing. */
export function packedRefused(
  store: string,
  { collection, rows }: NonNullable<TargetWrite["packed"]>,
  form?: string,
): CutoverError {
  const expected = form === undefined ? "one by one" : `packed as ${form}, and no others beside them`;
  return new CutoverError("CUTOVER_DATA_REFUSED", {
    message: `expected rows of "${collection}" ${expected}, found them packed as ${rows.format}`,
    place: store,
    details: { collection },
    remedy: "ask `packing` for the form, or give the rows one by one",
  });
}
