import { readFileSync } from "node:fs";
import { isEnded, type WorkOrder } from "../old/work-order.ts";

/** One line of the ledger, written by the work itself. */
interface LedgerLine {
  readonly event: "begin" | "end";
  readonly id: string;
  readonly attempt: number;
  readonly key: string;
  readonly side: "old" | "new";
  readonly exit: number | null;
}

/** What became of every order, from the ledger and the API: neither queue is asked for its own opinion. */
export interface Account {
  /** Orders there before, and orders the load had accepted. */
  readonly in: number;
  readonly finishedOnce: number;
  /** Accepted, but unknown now, not ended, or ended as succeeded without a trace of the work. */
  readonly lost: readonly string[];
  /** The work took effect more than once. */
  readonly twice: readonly string[];
  /** Set aside before anything was moved. */
  readonly aside: readonly string[];
  readonly byStatus: Readonly<Record<string, number>>;
  /** Work that took effect, by the side that did it. */
  readonly done: { readonly old: number; readonly new: number };
}

export function settleAccount(
  orders: readonly WorkOrder[],
  ledger: readonly LedgerLine[],
  accepted: readonly string[],
  aside: readonly string[],
): Account {
  const effects = new Map<string, number>();
  const done = { old: 0, new: 0 };
  for (const { event, id, exit, side } of ledger) {
    if (event !== "end" || exit !== 0) continue;
    effects.set(id, (effects.get(id) ?? 0) + 1);
    done[side]++;
  }
  const byId = new Map(orders.map((order) => [order.id, order]));
  const begun = new Set(ledger.map(({ id }) => id));
  const setAside = new Set(aside);
  const sent = new Set(accepted);
  const all = new Set([...byId.keys(), ...accepted].filter((id) => !setAside.has(id)));
  const lost: string[] = [];
  const byStatus: Record<string, number> = {};
  for (const id of all) {
    const status = byId.get(id)?.status;
    if (status !== undefined) byStatus[status] = (byStatus[status] ?? 0) + 1;
    if (status === undefined || !isEnded(status)) lost.push(id);
    // Orders that had ended before the ledger began have no line in it.
    else if (status === "succeeded" && begun.has(id) && !effects.has(id)) lost.push(id);
    else if (status === "succeeded" && !begun.has(id) && sent.has(id)) lost.push(id);
  }
  const twice = [...effects].filter(([, times]) => times > 1).map(([id]) => id);
  const finishedOnce = all.size - lost.length - twice.filter((id) => all.has(id)).length;
  return { in: all.size, finishedOnce, lost, twice, aside: [...setAside], byStatus, done };
}

/** Lines of a file of JSON lines; a last line that is cut off (its writer was killed) is left out. */
export function readLines<T>(path: string): T[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return [];
  }
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);
}
