import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CheckContext, type CheckResult, type Step, step } from "cutover";

const folder: string = import.meta.dirname;
const oldFile: string = join(folder, "old-orders.json");
const newFile: string = join(folder, "new-orders.json");

interface Order {
  readonly id: string;
  readonly status: string;
}

const read = (file: string): readonly Order[] => JSON.parse(readFileSync(file, "utf8")) as Order[];

/** A backup counts when its copy was read back and is equal. */
export function backupRestores({ workDir }: CheckContext): CheckResult {
  const copy = join(workDir, "old-orders.json");
  copyFileSync(oldFile, copy);
  const equal = readFileSync(copy).equals(readFileSync(oldFile));
  return { ok: equal, note: equal ? "read back and equal" : "the copy differs", facts: { copy } };
}

export function oldSideAnswers(): CheckResult {
  const orders = read(oldFile).length;
  return { ok: orders > 0, note: `${orders} orders`, facts: { orders } };
}

/** Waiting orders cross over under their new state; whoever starts it again finds them there and does nothing. */
export const moveOrders: Step = step("move-orders", {
  summary: "move the waiting orders",
  estimate: "1s",
  run: () => {
    const waiting = read(oldFile).filter(({ status }) => status === "queued");
    writeFileSync(newFile, JSON.stringify(waiting.map(({ id }) => ({ id, status: "PENDING" }))));
    return `${waiting.length} moved`;
  },
  verify: () => existsSync(newFile),
  rollback: () => rmSync(newFile, { force: true }),
});
