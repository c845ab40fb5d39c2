import type { Change, Reader } from "./connector.ts";
import { keptIn } from "./map.ts";
import { getKept } from "./verify/kept-rows.ts";

/**
 * How many rows more lie in quarantine once these changes are written, negative when they are fewer; asked before they are. A row that
 * is changed again and again and has no image lies there once.
 */
export async function asideChange(target: Pick<Reader, "get">, changes: readonly Change[]): Promise<number> {
  const last = new Map<string, Change>();
  for (const change of changes)
    if (change.collection === keptIn.aside) last.set(Buffer.from(change.key).toString("latin1"), change);
  if (last.size === 0) return 0;
  const due = [...last.values()];
  const before = await getKept(
    target,
    keptIn.aside,
    due.map(({ key }) => key),
  );
  return due.reduce(
    (more, { value }, at) => more + (value === null ? 0 : 1) - (before[at] === undefined ? 0 : 1),
    0,
  );
}
