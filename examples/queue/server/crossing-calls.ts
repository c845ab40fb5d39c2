import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { InvalidSubmission } from "../old/submission.ts";
import type { Orders } from "./orders.ts";
import type { Places } from "./settings.ts";

/** What the crossing asks of the server, as both queues live in it. Every call may be repeated. */
export async function crossingCalls(
  orders: Orders,
  files: Places,
  route: { state(): { stage: string } },
  name: string,
  body: unknown,
): Promise<object | undefined> {
  switch (name) {
    case "move":
      return await orders.move(idsOf(body));
    case "move-back":
      return await orders.moveBack();
    case "import-history":
      return await orders.importHistory({ all: false });
    case "retire":
      return await retire(orders, files, route.state().stage, idsOf(body));
    default:
      return undefined;
  }
}

/**
 * Lets go of the old queue and puts its folder away; refuses while anything still depends on it. What was set
 * aside never ends there: it is kept for reading and stays in the archive.
 */
async function retire(
  orders: Orders,
  files: Places,
  stage: string,
  aside: readonly string[],
): Promise<{ retired: boolean; reason: string }> {
  const archived = join(files.archive, "old");
  if (orders.old === undefined && existsSync(archived)) return { retired: true, reason: "already archived" };
  if (stage !== "complete") return { retired: false, reason: `the route is at stage ${stage}, not complete` };
  const left = (orders.old?.unfinishedIds() ?? []).filter((id) => !aside.includes(id));
  if (left.length > 0)
    return {
      retired: false,
      reason: `${left.length} orders have not ended in the old queue: ${left.slice(0, 5).join(", ")}`,
    };
  await orders.retireOld();
  mkdirSync(files.archive, { recursive: true });
  renameSync(files.old, archived);
  return { retired: true, reason: `archived in ${archived}` };
}

function idsOf(body: unknown): string[] {
  const ids = (body as { ids?: unknown } | null)?.ids;
  if (Array.isArray(ids) && ids.every((id) => typeof id === "string")) return ids as string[];
  throw new InvalidSubmission("expected { ids: [text, …] }");
}
