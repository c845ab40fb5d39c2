/**
 * Customers: place orders and pay for them, without a break. What was answered is written down; what was not is asked again under
 * the same number until there is an answer.
 */
import { openSync, writeSync } from "node:fs";
import { Agent, request as call } from "node:http";
import { argv, exit } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import type { NewOrder } from "../service/shop.ts";
import { lifeMs, type LoadRecord, places, readRecord, type ServiceRecord, writeRecord } from "../settings.ts";

const files = places(argv[2] ?? "");
const customers = 4;
const pauseMs = 40;
const ledger = openSync(files.accepted, "a");
const agent = new Agent({ keepAlive: true });
const mark = Date.now().toString(36);
const counts = { sent: 0, accepted: 0, wrong: 0, longestMs: 0 };
const stopping = new AbortController();

const report = (over: boolean): void =>
  writeRecord(files.load, { pid: process.pid, ...counts, over } satisfies LoadRecord);
report(false);
const reporting = setInterval(() => report(false), 250);
setTimeout(() => exit(0), lifeMs).unref();
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopping.abort());
await Promise.all(Array.from({ length: customers }, (_, index) => shopping(index)));
clearInterval(reporting);
report(true);
exit(0);

async function shopping(customer: number): Promise<void> {
  const { signal } = stopping;
  for (let number = 0; !signal.aborted; number++) {
    const order = newOrder(`${mark}-${customer}-${number}`, number);
    counts.sent++;
    const placed = await until("/orders", order);
    if (placed === undefined) return;
    if (placed["total"] !== order.total) counts.wrong++;
    // Every fifth order is never paid.
    const pays = number % 5 !== 4;
    if (pays && (await until(`/orders/${order.request}/payment`, {})) === undefined) return;
    const line = { request: order.request, total: order.total, lines: order.lines.length, paid: pays };
    writeSync(ledger, `${JSON.stringify({ ...line, side: placed["side"] })}\n`);
    counts.accepted++;
    await wait(pauseMs);
  }
}

function newOrder(request: string, number: number): NewOrder {
  const lines = Array.from({ length: 1 + (number % 3) }, (_, line) => ({
    sku: `sku-${(number * 13 + line) % 311}`,
    quantity: 1 + (line % 4),
    price: `${(number % 90) + 1}.25`,
  }));
  const cents = lines.reduce(
    (sum, { quantity, price }) => sum + quantity * Math.round(Number(price) * 100),
    0,
  );
  const total = `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, "0")}`;
  return { request, customer: `customer ${number % 40}`, note: number % 2 === 0 ? null : "☂", total, lines };
}

/** Asks until there is an answer; undefined when the load was ended before there was one. */
async function until(path: string, body: unknown): Promise<Record<string, unknown> | undefined> {
  const began = performance.now();
  for (;;) {
    const { code, answer } = await ask(path, body);
    if (code === 200 || code === 201) {
      counts.longestMs = Math.max(counts.longestMs, performance.now() - began);
      return answer;
    }
    // 0: the service is away for the moment.
    if (code !== 503 && code !== 0) counts.wrong++;
    if (stopping.signal.aborted) return undefined;
    await wait(50);
  }
}

function ask(
  path: string,
  body: unknown,
): Promise<{ readonly code: number; readonly answer: Record<string, unknown> }> {
  const port = readRecord<ServiceRecord>(files.service)?.port ?? 0;
  return new Promise((resolve) => {
    const asked = call(
      { host: "127.0.0.1", port, path, method: "POST", agent, timeout: 40_000 },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("error", () => resolve({ code: 0, answer: {} }));
        response.once("end", () => {
          const answer = JSON.parse(Buffer.concat(chunks).toString("utf8")) as Record<string, unknown>;
          resolve({ code: response.statusCode ?? 0, answer });
        });
      },
    );
    asked.once("timeout", () => asked.destroy());
    asked.once("error", () => resolve({ code: 0, answer: {} }));
    asked.end(JSON.stringify(body));
  });
}
