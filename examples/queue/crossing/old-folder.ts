import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { StoredOrder } from "../old/order-files.ts";
import type { QueueEntry, WorkOrder } from "../old/work-order.ts";
import { CutoverError } from "cutover";

/** Something the crossing does not move, with the reason. Nothing of it is changed or deleted. */
export interface Aside {
  readonly id: string;
  readonly reason: string;
  readonly file: string;
}

/** What the old data folder holds, as a reader sees it who does not trust it. */
export interface OldFolder {
  readonly orders: readonly StoredOrder[];
  /** Orders that wait in the queue and can be moved, first in line first. */
  readonly waiting: readonly string[];
  readonly aside: readonly Aside[];
  /** Number of orders by status, as the files say. */
  readonly counts: Readonly<Record<string, number>>;
}

/** A live folder changes between two reads: a fault counts when it is there twice, so far apart. */
const lookAgainMs = 400;

/**
 * Reads the folder of a running server and sets aside what is wrong in it.
 * @throws CUTOVER_DATA_MISSING when there is no such folder
 */
export async function readOldFolder(dir: string): Promise<OldFolder> {
  const first = readOnce(dir);
  if (first.aside.length === 0) return first;
  await wait(lookAgainMs);
  const second = readOnce(dir);
  const seen = new Set(first.aside.map(({ id, reason }) => `${id}\n${reason}`));
  return { ...second, aside: second.aside.filter(({ id, reason }) => seen.has(`${id}\n${reason}`)) };
}

/** One look, without a wait: right for a folder that nobody writes to. */
export function readOnce(dir: string): OldFolder {
  const aside: Aside[] = [];
  const orders: StoredOrder[] = [];
  for (const name of fileNames(dir)) {
    const read = readOrder(dir, name);
    if ("reason" in read) aside.push(read);
    else orders.push(read);
  }
  const entries = readEntries(dir);
  const byId = new Map(orders.map((order) => [order.id, order]));
  const listed = new Set(entries.map(({ workOrderId }) => workOrderId));
  for (const { workOrderId: id } of entries) {
    if (byId.has(id) || aside.some((item) => item.id === id)) continue;
    aside.push({ id, reason: "stands in the queue, but has no file", file: "queue-state.json" });
  }
  const queued = orders.filter(({ status, movedTo }) => status === "queued" && movedTo === undefined);
  for (const { id } of queued) {
    if (!listed.has(id))
      aside.push({ id, reason: "queued, but missing from queue-state.json", file: `work-orders/${id}.json` });
  }
  const waiting = entries
    .map(({ workOrderId }) => workOrderId)
    .filter((id) => byId.get(id)?.status === "queued");
  const counts: Record<string, number> = {};
  for (const { status } of orders) counts[status] = (counts[status] ?? 0) + 1;
  return { orders, waiting, aside, counts };
}

/**
 * Every status that is really there must be in the map.
 * @throws CUTOVER_DATA_UNMAPPED naming the status and the first file it stands in
 */
export function refuseUnmapped(folder: OldFolder, map: Readonly<Record<string, unknown>>): void {
  const stranger = folder.orders.find(({ status }) => !Object.hasOwn(map, status));
  if (stranger === undefined) return;
  const file = `work-orders/${stranger.id}.json`;
  throw new CutoverError("CUTOVER_DATA_UNMAPPED", {
    message: `expected one of the statuses ${Object.keys(map).join(", ")}, found "${stranger.status}" in ${file}`,
    details: { status: stranger.status, file, count: folder.counts[stranger.status] },
    place: file,
  });
}

function fileNames(dir: string): string[] {
  try {
    return readdirSync(join(dir, "work-orders"))
      .filter((name) => name.endsWith(".json"))
      .sort();
  } catch (cause) {
    throw new CutoverError("CUTOVER_DATA_MISSING", {
      message: `expected the old server's data in ${dir} (work-orders/, queue-state.json), found nothing that can be read`,
      place: dir,
      cause,
    });
  }
}

function readOrder(dir: string, name: string): StoredOrder | Aside {
  const id = name.slice(0, -".json".length);
  const file = `work-orders/${name}`;
  let text: string;
  try {
    text = readFileSync(join(dir, file), "utf8");
  } catch (error) {
    return { id, file, reason: `cannot be read: ${String((error as NodeJS.ErrnoException).code)}` };
  }
  if (text.trim() === "") return { id, file, reason: "the file is empty" };
  let order: WorkOrder;
  try {
    order = JSON.parse(text) as WorkOrder;
  } catch {
    return { id, file, reason: `the file is cut off or damaged (${Buffer.byteLength(text)} bytes)` };
  }
  if (typeof order !== "object" || order === null || typeof order.status !== "string")
    return { id, file, reason: "the file holds no work order" };
  if (order.id !== id) return { id, file, reason: `the file holds the order ${String(order.id)}` };
  return order;
}

function readEntries(dir: string): readonly QueueEntry[] {
  try {
    return (JSON.parse(readFileSync(join(dir, "queue-state.json"), "utf8")) as { queue: QueueEntry[] }).queue;
  } catch (cause) {
    throw new CutoverError("CUTOVER_DATA_MISSING", {
      message: "expected the queue state in queue-state.json, found nothing that can be read",
      place: join(dir, "queue-state.json"),
      cause,
    });
  }
}
