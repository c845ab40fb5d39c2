import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openQueue, type Queue } from "../src/queue/index.ts";
import { pageBlocks } from "./page.ts";
import { postgresServer } from "./postgres/server.ts";
import { until } from "./e2e/command-line.ts";

/** Where `pg_dump` lies beside a server of its version: the package of the other tests brings no `pg_dump`, and one refuses newer servers. */
const debian = "/usr/lib/postgresql";
const programs = (existsSync(debian) ? readdirSync(debian) : [])
  .toSorted((a, b) => Number(b) - Number(a))
  .map((version) => join(debian, version, "bin"))
  .find((bin) => ["pg_dump", "pg_restore", "psql", "initdb"].every((name) => existsSync(join(bin, name))));

test.skipIf(programs === undefined)(
  "a queue is dumped and restored on PostgreSQL as its page says; what was held then is run again, with the same key (needs Debian's postgresql)",
  async () => {
    const bin = programs ?? "";
    const folder = mkdtempSync(join(tmpdir(), "cutover-pg-programs-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    // The server has another user.
    chmodSync(folder, 0o755);
    mkdirSync(join(folder, "native"));
    symlinkSync(bin, join(folder, "native/bin"));
    process.env["CUTOVER_TEST_POSTGRES"] = folder;
    const server = await postgresServer();
    onTestFinished(() => server.stop());
    const url = server.url();
    const page = pageBlocks("docs/queue.md", {
      needs: "postgres",
      packages: ["pg"],
      env: { URL: url, PATH: `${bin}:${process.env["PATH"] ?? ""}` },
    });

    const runs: { readonly key: string; readonly fence: number }[] = [];
    const open = (): Promise<Queue> => openQueue(url, { lease: "1s", stagger: 0, slots: 4 });
    const before = await open();
    const finish = Promise.withResolvers<null>();
    before.work("mail", (_, { idempotencyKey: key, fence }) => {
      runs.push({ key, fence });
      return finish.promise;
    });
    const held = await before.submit("mail", { to: "ann" });
    await until(() => runs.length === 1, "the order runs");
    page.next();
    const later = await before.submit("bill", null, { key: "bill-1" });
    finish.resolve(null);
    await before.waitFor(held.id, { timeout: "20s" });
    await before.stop();
    page.next();
    expect(page.next().done).toBe(true);

    await using after = await open();
    expect(await after.get(later.id)).toBeUndefined();
    expect((await after.submit("bill", null, { key: "bill-1" })).id).not.toBe(later.id);
    after.work("mail", (_, { idempotencyKey: key, fence }) => void runs.push({ key, fence }));
    expect(await after.waitFor(held.id, { timeout: "20s" })).toMatchObject({
      state: "COMPLETED",
      attempt: 1,
    });
    const [first, second] = runs;
    expect(runs).toHaveLength(2);
    expect([second?.key, (second?.fence ?? 0) > (first?.fence ?? 0)]).toEqual([first?.key, true]);
    const audit = [join(import.meta.dirname, "../dist/cli/main.js"), "audit", "--store", url];
    expect(execFileSync(process.execPath, audit, { encoding: "utf8" })).toContain("chain whole");
  },
);
