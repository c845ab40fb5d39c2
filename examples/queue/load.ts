/**
 * The load: `node load.ts WORK_DIR`. Posts work orders to the server on this machine as fast as it takes them, up to a
 * rate, and keeps to its back-pressure. Bounded in number and time; ends on SIGTERM. What it was told and what it saw
 * lie in the work folder.
 */
import { appendFileSync } from "node:fs";
import { argv } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { ask } from "./http-client.ts";
import { type OrderToSend, ordersToSend } from "./load/orders-to-send.ts";
import type { LoadSettings } from "./load/settings.ts";
import { Tally } from "./load/tally.ts";
import { statuses } from "./old/work-order.ts";
import { places, readRecord, type ServerRecord, writeRecord } from "./server/settings.ts";

const senders = 8;
/** Every so often more comes at once than the server takes. */
const burstEveryMs = 9_000;
const burstMs = 900;

const files = places(argv[2] ?? "");
const settings = readRecord<LoadSettings>(files.loadSettings);
if (settings === undefined) throw new Error(`expected settings in ${files.loadSettings}`);
const { rate, depth, lifeMs, orders: most } = settings;
const endAt = Date.now() + lifeMs;
const tally = new Tally();
const row = ordersToSend(`s${Date.now().toString(36)}`);
const startedAt = performance.now();
let stopped = false;
let waiting = 0;
let sent = 0;
process.on("SIGTERM", () => (stopped = true));
process.on("SIGINT", () => (stopped = true));

const over = (): boolean => stopped || Date.now() >= endAt || sent >= most;

async function send(): Promise<void> {
  while (!over()) {
    const elapsed = performance.now() - startedAt;
    const burst = elapsed % burstEveryMs > burstEveryMs - burstMs;
    if (burst || (waiting < depth && sent < (elapsed / 1_000) * rate)) {
      sent++;
      await deliver(row.next().value as OrderToSend);
    } else {
      await wait(5);
    }
  }
}

/** Posts one order until it is accepted. The same id each time: a second post of an accepted order changes nothing. */
async function deliver(order: OrderToSend): Promise<void> {
  while (Date.now() < endAt) {
    const begun = performance.now();
    try {
      const port = readRecord<ServerRecord>(files.server)?.port ?? 0;
      const { code, body, headers } = await ask(port, "POST", "/work-orders", order);
      const ms = performance.now() - begun;
      waiting = Number(headers["x-queue-depth"]);
      if (code === 200 || code === 201) return await accepted(port, order, body, sideOf(headers), ms);
      if (code === 503) {
        tally.heldBack++;
        await wait(1_000 * Number(headers["retry-after"] ?? 1));
        continue;
      }
      tally.error(sideOf(headers));
    } catch {
      tally.error(undefined);
    }
    await wait(200);
  }
}

async function accepted(
  port: number,
  order: OrderToSend,
  answer: unknown,
  side: "old" | "new",
  ms: number,
): Promise<void> {
  tally.accepted++;
  tally.answer(side, ms);
  appendFileSync(files.accepted, `${JSON.stringify({ id: order.id, side, at: Date.now() })}\n`);
  if (!fits(order, answer)) tally.wrong++;
  if (tally.accepted % 40 === 0) {
    const read = await ask(port, "GET", `/work-orders/${order.id}`);
    if (read.code !== 503 && !fits(order, read.body)) tally.wrong++;
  }
  if (tally.accepted % 150 === 0) {
    const { code } = await ask(port, "POST", `/work-orders/${order.id}/cancel`);
    if (code === 200) tally.canceled++;
  }
}

const sideOf = (headers: Readonly<Record<string, unknown>>): "old" | "new" =>
  headers["x-side"] === "new" ? "new" : "old";

/** The contract: every field as submitted, one of the seven statuses, a readable time. */
function fits(order: OrderToSend, answer: unknown): boolean {
  if (typeof answer !== "object" || answer === null) return false;
  const read = answer as Record<string, unknown>;
  const asked = Object.entries(order).filter(([field]) => field !== "priority");
  return (
    asked.every(([field, value]) => isDeepStrictEqual(read[field], value)) &&
    (statuses as readonly unknown[]).includes(read["status"]) &&
    !Number.isNaN(Date.parse(String(read["createdAt"])))
  );
}

/** While it holds back, nothing tells it that the server has room again. */
async function watchDepth(): Promise<void> {
  while (!over()) {
    await wait(50);
    const port = readRecord<ServerRecord>(files.server)?.port ?? 0;
    const answer = await ask(port, "GET", "/metrics").catch(() => undefined);
    if (answer !== undefined) waiting = Number(answer.headers["x-queue-depth"]);
  }
}

const reports = setInterval(() => writeRecord(files.load, tally.report(true)), 500);
await Promise.all([watchDepth(), ...Array.from({ length: senders }, send)]);
clearInterval(reports);
writeRecord(files.load, tally.report(false));
process.exit(0);
