/**
 * What `cutover init` writes: a pair of stores small enough to read in a minute, and the migration between them.
 * Under 60 lines together, and run by the end-to-end tests as they stand here.
 */
const store = `// The two sides: orders in one JSON file (old), orders in SQLite (new).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

export type Order = { id: string; item: string; pieces: number };
export const oldFile: string = join(import.meta.dirname, "orders.json");
export const newFile: string = join(import.meta.dirname, "orders.db");

export const oldOrders = (): Order[] => JSON.parse(readFileSync(oldFile, "utf8"));

/** Writes orders into the new side; writing one twice leaves one. */
export function saveNew(orders: Order[]): void {
  const db = new DatabaseSync(newFile);
  db.exec("CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, item TEXT, pieces INTEGER)");
  const put = db.prepare("INSERT OR REPLACE INTO orders VALUES (?, ?, ?)");
  for (const { id, item, pieces } of orders) put.run(id, item, pieces);
  db.close();
}

/** How many orders the new side does not have exactly as the old one. */
export function different(): number {
  const db = new DatabaseSync(newFile);
  const find = db.prepare("SELECT id, item, pieces FROM orders WHERE id = ?");
  const wrong = oldOrders().filter((order) => JSON.stringify(find.get(order.id)) !== JSON.stringify(order));
  db.close();
  return wrong.length;
}
`;

const crossing = `import { copyFileSync, readFileSync, rmSync } from "node:fs";
import { check, defineMigration, gate, phase, step } from "cutover";
import { different, newFile, oldFile, oldOrders, saveNew } from "./orders.ts";

const equal = gate("old and new are equal", {
  collect: () => ({ orders: oldOrders().length, different: different() }),
  judge: ({ orders, different }) => ({
    kind: different === 0 ? "pass" : "fail",
    reason: \`\${different} of \${orders} orders differ\`,
  }),
});

const backup = check("backup restores", ({ workDir }) => {
  copyFileSync(oldFile, \`\${workDir}/orders.json\`);
  const same = readFileSync(\`\${workDir}/orders.json\`).equals(readFileSync(oldFile));
  return { ok: same, note: "copied, read back and equal" };
});

const copy = step("copy", {
  summary: "copy the orders, 25 at a time",
  estimate: "2s",
  run: async (its) => {
    const orders = oldOrders();
    for (let done = Number(its.checkpoint() ?? 0); done < orders.length; ) {
      saveNew(orders.slice(done, done + 25));
      await its.saveCheckpoint((done = Math.min(done + 25, orders.length)));
      its.progress({ done, total: orders.length, unit: "orders" });
      await new Promise<void>((resolve) => its.clock.after(50, resolve)); // only so that there is something to see
    }
    return \`\${orders.length} orders copied\`;
  },
  rollback: () => rmSync(newFile, { force: true }),
});

export default defineMigration({
  name: "orders-to-sqlite",
  phases: [phase("move", { wayBack: [backup], steps: [copy], exit: [equal] })],
});
`;

const items = ["paper", "ink", "stamps", "folders", "clips"];

const orders: string = JSON.stringify(
  Array.from({ length: 300 }, (_, index) => ({
    id: `order-${String(index + 1).padStart(4, "0")}`,
    item: items[index % items.length],
    pieces: (index % 7) + 1,
  })),
  null,
  1,
);

export interface InitFile {
  readonly name: string;
  readonly what: string;
  readonly content: string;
}

/** The files, named `.ts`, or `.mts` where the nearest `package.json` says that `.ts` is CommonJS. */
export const initFiles = (extension: "ts" | "mts"): readonly InitFile[] => [
  { name: "orders.json", what: "the old side's data", content: `${orders}\n` },
  { name: `orders.${extension}`, what: "the two sides: a JSON file and SQLite", content: store },
  {
    name: `crossing.${extension}`,
    what: "the migration between them",
    content: crossing.replace("./orders.ts", `./orders.${extension}`),
  },
];
