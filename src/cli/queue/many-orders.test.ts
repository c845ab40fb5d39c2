import { stripVTControlCharacters } from "node:util";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Opened, open } from "../../../test/queue/manual-queue.ts";
import { openQueue } from "../../queue/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import type { CommandContext } from "../command.ts";
import { command as prune } from "../commands/queue-prune.ts";
import { textWidth } from "../draw/text-width.ts";
import { changeMany, type Tally } from "./many-orders.ts";

/** A command on a queue of so many orders, as a person sees it; each page of orders takes three seconds. */
async function changing(
  orders: number,
  options: {
    readonly columns?: number;
    readonly json?: boolean;
    readonly typed?: Readonly<Record<string, string>>;
    readonly onPage?: (page: number, interrupt: AbortController) => void;
  } = {},
): Promise<{ tally: Tally; said: readonly string[]; painted: readonly string[] }> {
  const { clock, store, queue }: Opened = await open();
  await queue.submitAll(
    Array.from({ length: orders }, (_, n) => ({
      kind: n % 4 === 0 ? "bill" : "mail",
      payload: n,
      id: `o${n + 10_000}`,
    })),
  );
  const said: string[] = [];
  const painted: string[] = [];
  const interrupt = new AbortController();
  const { columns, json = false, typed = {}, onPage } = options;
  const terminal = {
    live: columns !== undefined,
    colour: false,
    columns: () => columns ?? 80,
    rows: () => 24,
    aside: (line: string | readonly { readonly text: string }[]) =>
      void said.push(typeof line === "string" ? line : line.map(({ text }) => text).join("")),
    write: (text: string) =>
      void painted.push(
        ...stripVTControlCharacters(text)
          .split(/[\r\n]+/)
          .filter((line) => line !== ""),
      ),
  };
  const args = { text: (name: string) => typed[name], texts: () => [], flag: () => true, positionals: [] };
  const context = { clock, terminal, args, json, interrupted: interrupt.signal } as unknown as CommandContext;
  let changed = 0;
  const tally = await changeMany(context, store, ["PENDING"], "cancel", async (order) => {
    await queue.cancel(order.id, "not wanted");
    changed++;
    if ((order.payload as number) % 200 !== 0) return;
    await clock.advance(3_000);
    onPage?.(changed, interrupt);
  });
  return { tally, said, painted };
}

test("without a terminal a command about many orders says a line every few seconds: how far, how fast, how long yet", async () => {
  const { tally, said } = await changing(1_000);
  expect(tally).toEqual({ done: 1_000, moved: 0, stopped: false, left: undefined });
  expect(said).toEqual([
    "6.0 s  cancel  400 of 1,000 orders · 67/s · about 9.0 s left",
    "12 s  cancel  800 of 1,000 orders · 67/s · about 3.0 s left",
  ]);
});

test.each([40, 80, 200])(
  "on a terminal of %i columns it is one line that is painted over",
  async (columns) => {
    const { said, painted } = await changing(600, { columns });
    expect(said).toEqual([]);
    expect(painted[0]).toContain(
      columns === 40 ? "200 of 600 orders" : "░  200 of 600 orders · 67/s · about 6.0 s left",
    );
    for (const line of painted) expect(textWidth(line)).toBeLessThan(columns);
  },
);

test("of some among many it says how many were seen, and how many of them fit; with --json nothing", async () => {
  const some = await changing(800, { typed: { kind: "bill" } });
  expect(some.tally.done).toBe(200);
  expect(some.said[0]).toBe("6.0 s  cancel  400 of 800 orders · 67/s · about 6.0 s left · 100 of them fit");
  expect((await changing(1_000, { json: true })).said).toEqual([]);
});

test("a signal ends it after the orders that are under way, and what is left of a limit is known", async () => {
  const { tally, said } = await changing(1_000, {
    typed: { limit: "900" },
    onPage: (changed, interrupt) => changed > 200 && interrupt.abort(),
  });
  expect(tally).toEqual({ done: 400, moved: 0, stopped: true, left: 500 });
  expect(said[0]).toBe("stopping after those that are under way · Ctrl-C again ends at once");
});

test("a prune is stopped between two commits, and says how many it removed and how it goes on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cutover-many-orders-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const url = `sqlite:${join(folder, "work.db")}`;
  const clock = new ManualClock();
  await using queue = await openQueue(url, { clock });
  await queue.submitAll(Array.from({ length: 1_200 }, () => ({ kind: "mail" })));
  await queue.cancelAll({ reason: "not wanted" });
  await clock.advance(1_000);
  let asked = 0;
  const interrupted = {
    get aborted() {
      return ++asked > 2;
    },
    addEventListener: () => {},
    removeEventListener: () => {},
  };
  const context = {
    clock,
    interrupted,
    json: true,
    terminal: { live: false },
    args: { text: (name: string) => (name === "older-than" ? "1ms" : undefined) },
    shared: { url, shown: "sqlite:work.db" },
    storeFlag: " --store sqlite:work.db",
  } as unknown as CommandContext;
  await expect(prune.run(context)).rejects.toMatchObject({
    code: "CUTOVER_INTERRUPTED",
    details: { removed: 1_000 },
    remedy: "go on with: `cutover queue prune --older-than 1ms --store sqlite:work.db`",
  });
  expect((await queue.counts()).CANCELLED).toBe(200);
});
