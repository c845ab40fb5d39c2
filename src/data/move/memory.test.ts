import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "cutover-memory-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const rows = 16;
const bytes = 20_000_000;
/**
 * Most that a process may hold, whose start alone takes about 50 MB. 127 to 199 MB when this was written, on a busy machine; 282 and more
 * comparing with a LevelDB before huge values lay in areas of their own.
 */
const most = 260_000_000;

/** A process that works with huge rows, and what it allocated at most, looked at every 5 ms. */
const start = `
  import { readFileSync } from "node:fs";
  import * as data from ${JSON.stringify(join(import.meta.dirname, "../index.ts"))};
  const [from, to] = process.argv.slice(1);
  let own = 0;
  const look = () => {
    const found = /^RssAnon:\\s+(\\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"));
    own = Math.max(own, Number(found[1]) * 1024);
  };
  setInterval(look, 5).unref();
  const told = (more) => console.log(JSON.stringify({ own, ...more }));
`;
/** What a LevelDB sorts in the background beside a reader is its own, and may be hundreds of megabytes of such rows: it is done here. */
const fillLevel = `
  import { randomFillSync } from "node:crypto";
  import { ClassicLevel } from "classic-level";
  const db = new ClassicLevel(from, { keyEncoding: "buffer", valueEncoding: "buffer" });
  const value = Buffer.allocUnsafe(${bytes});
  for (let row = 0; row < ${rows}; row++) {
    randomFillSync(value);
    await db.put(Buffer.from("row " + String(row).padStart(3, "0")), value);
  }
  await db.compactRange(Buffer.alloc(1), Buffer.alloc(8, 0xff));
  await db.close();
`;
const fill = `
  import { randomFillSync } from "node:crypto";
  await using store = await data.openLmdb(from, { create: true });
  const value = Buffer.allocUnsafe(${bytes});
  for (let row = 0; row < ${rows}; row++) {
    randomFillSync(value);
    await store.write([{ collection: "", key: Buffer.from("row " + String(row).padStart(3, "0")), value }]);
  }
`;
const work = {
  "copied from a LevelDB": `
    await using source = await data.openLevelDb(from);
    await using target = await data.openLmdb(to, { create: true });
    const { progress } = await data.moveData({ source, target, job: "move", fence: 1 });
    told({ rows: progress.rows });
  `,
  copied: `
    await using source = await data.openLmdb(from);
    await using target = await data.openLmdb(to, { create: true });
    const { progress } = await data.moveData({ source, target, job: "move", fence: 1 });
    told({ rows: progress.rows });
  `,
  compared: `
    import { randomBytes } from "node:crypto";
    await using source = await data.openLmdb(from);
    await using target = await data.openLmdb(to);
    const { equal, source: digest } = await data.verifyData({ source, target, random: randomBytes });
    told({ rows: equal ? digest.count : 0 });
  `,
  "compared with a LevelDB": `
    import { randomBytes } from "node:crypto";
    await using source = await data.openLevelDb(from);
    await using target = await data.openLmdb(to);
    const { equal, source: digest } = await data.verifyData({ source, target, random: randomBytes });
    told({ rows: equal ? digest.count : 0 });
  `,
  "kept in a backup": `
    import { randomBytes } from "node:crypto";
    await using source = await data.openLmdb(from);
    const clock = { now: () => 0 };
    const { manifest } = await data.backupData({ source, dir: to, clock, random: randomBytes });
    told({ rows: manifest.collections[0].digest.count });
  `,
  "brought back": `
    import { randomBytes } from "node:crypto";
    await using target = await data.openLmdb(to, { create: true });
    const clock = { now: () => 0 };
    const { rows } = await data.restoreData({ dir: from, target, clock, random: randomBytes });
    told({ rows });
  `,
};

async function run(script: string, from: string, to: string): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module", "-e", start + script, join(dir, from), join(dir, to)],
    { env: { ...process.env, NODE_OPTIONS: "" }, timeout: 240_000 },
  );
  return stdout;
}

test.runIf(process.platform === "linux")(
  "rows of 20 MB are copied, compared, kept in a backup and brought back, a few at a time in memory",
  async () => {
    await run(fill, "old", "");
    await run(fillLevel, "level", "");
    const ways = [
      ["copied from a LevelDB", "level", "from-level"],
      ["compared with a LevelDB", "level", "from-level"],
      ["copied", "old", "new"],
      ["compared", "old", "new"],
      ["kept in a backup", "new", "backup"],
      ["brought back", "backup", "again"],
    ] as const;
    for (const [way, from, to] of ways) {
      const told = JSON.parse(await run(work[way], from, to)) as { readonly own: number };
      expect(told, way).toMatchObject({ rows });
      expect(told.own, way).toBeLessThan(most);
    }
  },
  600_000,
);
