import { existsSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { CutoverError, type Json, type JsonObject, type Step, type StepContext, step } from "cutover";
import type { WorkOrder } from "../old/work-order.ts";
import { places } from "../server/settings.ts";
import { readOldFolder, readOnce, refuseUnmapped } from "./old-folder.ts";
import { callServer } from "./server-control.ts";

/** What becomes of an old status: the new state, and how it gets there. */
export interface Mapping {
  readonly becomes: string;
  readonly how: "moves" | "ends in the old queue" | "stays, kept for reading";
}

/** Progress of the move: the ids chosen once, and how many of them are done. */
interface Checkpoint {
  readonly ids: readonly string[];
  readonly done: number;
  readonly moved: readonly string[];
}

const batchSize = 8;
const exampleData = join(import.meta.dirname, "../data");

/**
 * Moves the orders that wait in the old queue to the new one, in small batches under load. What runs ends where it is,
 * what has ended is kept for reading, what is damaged is set aside. May stop anywhere and start again.
 */
export function moveOrders(workDir: string, map: Readonly<Record<string, Mapping>>): Step {
  const dir = places(workDir).old;
  return step("move-orders", {
    input: { map: map as unknown as Json, batchSize },
    timeout: "2m",
    estimate: "4s",
    plan: () => {
      // Before the example was started there is only the data it will copy.
      const folder = readOnce(existsSync(workDir) ? dir : exampleData);
      refuseUnmapped(folder, map);
      const aside = folder.aside.length === 0 ? "" : ` · ${folder.aside.length} set aside`;
      return { summary: `moves ${folder.waiting.length} waiting work orders${aside}`, touches: [dir] };
    },
    run: (context) => moveAll(context, workDir, map),
    rollback: async (context) => {
      const { body } = await callServer(workDir, "POST", "/crossing/move-back");
      const { returned, stay } = body as { returned: string[]; stay: string[] };
      await context.evidence("moved-back", { returned, stay });
    },
  });
}

async function moveAll(
  context: StepContext,
  workDir: string,
  map: Readonly<Record<string, Mapping>>,
): Promise<JsonObject> {
  const folder = await readOldFolder(places(workDir).old);
  refuseUnmapped(folder, map);
  await context.evidence("aside", { items: folder.aside.map((item) => ({ ...item })) });
  const saved = context.checkpoint() as unknown as Checkpoint | undefined;
  let at: Checkpoint = saved ?? { ids: folder.waiting, done: 0, moved: [] };
  while (at.done < at.ids.length) {
    context.signal.throwIfAborted();
    const ids = at.ids.slice(at.done, at.done + batchSize);
    const { body } = await callServer(workDir, "POST", "/crossing/move", { ids });
    const { moved } = body as { moved: string[] };
    at = { ...at, done: at.done + ids.length, moved: [...at.moved, ...moved] };
    await context.saveCheckpoint(at as unknown as Json);
    context.progress({ done: at.done, total: at.ids.length, unit: "orders" });
  }
  const { body } = await callServer(workDir, "POST", "/crossing/import-history");
  const differ = await compare(context, workDir, at.moved);
  const started = at.ids.length - at.moved.length;
  const note =
    `${at.moved.length} moved · ${differ} differ · ${folder.aside.length} set aside` +
    (started === 0 ? "" : ` · ${started} had started meanwhile and end in the old queue`);
  return {
    note,
    moved: at.moved.length,
    aside: folder.aside.length,
    history: (body as { stored: number }).stored,
  };
}

/**
 * Reads every moved order back through the API and holds it against the file it came from.
 * @throws CUTOVER_DATA_DIFFERS
 */
async function compare(context: StepContext, workDir: string, ids: readonly string[]): Promise<number> {
  const files = new Map(readOnce(places(workDir).old).orders.map((order) => [order.id, order]));
  const differences: string[] = [];
  for (const id of ids) {
    const { body, headers } = await callServer(workDir, "GET", `/work-orders/${encodeURIComponent(id)}`);
    const file = files.get(id);
    const fields = [
      "taskPrompt",
      "agentType",
      "createdAt",
      "childIds",
      "parentId",
      "policies",
      "workspaceSource",
    ] as const;
    const differs = fields.find((field) => !isDeepStrictEqual(file?.[field], (body as WorkOrder)[field]));
    if (headers["x-side"] !== "new")
      differences.push(`${id}: lives on the ${String(headers["x-side"])} side`);
    else if (differs !== undefined) differences.push(`${id}: ${differs}`);
  }
  await context.evidence("compared", { orders: ids.length, differences });
  if (differences.length === 0) return 0;
  throw new CutoverError("CUTOVER_DATA_DIFFERS", {
    message: `expected ${ids.length} moved orders to be equal on both sides, found ${differences.length} that differ: ${differences[0]}`,
    details: { differences: differences.slice(0, 20) },
  });
}
