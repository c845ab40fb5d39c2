import { spawn } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { switchContract } from "../../testing/index.ts";
import { followSwitch } from "./follow.ts";
import { postgresSwitch } from "./postgres-switch.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
}, 90_000);
afterAll(() => server.stop());

let count = 0;
switchContract(
  "a table of PostgreSQL",
  async () => {
    const options = { name: `contract ${++count}`, create: true };
    const opened = [await postgresSwitch(server.url(), options)];
    const again = async () => {
      const other = await postgresSwitch(server.url(), options);
      opened.push(other);
      return other;
    };
    const [kept] = opened as [(typeof opened)[0]];
    return {
      kept,
      again,
      close: async () => {
        for (const each of opened) await each[Symbol.asyncDispose]();
      },
    };
  },
  { describe, expect, test },
);

test("keeps its history, with time and author, and leaves other switches of the database alone", async () => {
  await using orders = await postgresSwitch(server.url(), { name: "orders", create: true, by: "migration" });
  await using stock = await postgresSwitch(server.url(), { name: "stock" });
  const since = Date.now();
  await orders.turn({ side: "new", epoch: 1 });
  await orders.turn({ side: "old", epoch: 9 });
  await orders.turn({ side: "new", epoch: 10 });
  expect(await stock.read()).toEqual({ side: "old", epoch: 0 });
  const history = await orders.history();
  expect(history).toMatchObject([
    { side: "new", epoch: 1, by: "migration" },
    { side: "old", epoch: 9, by: "migration" },
    { side: "new", epoch: 10, by: "migration" },
  ]);
  for (const { at } of history) expect(Math.abs(at - since)).toBeLessThan(60_000);
});

test("a database without a switch is refused, as a misspelt address would follow nobody", async () => {
  await using kept = await postgresSwitch(await server.database());
  const missing = { code: "CUTOVER_DATA_MISSING" };
  await expect(kept.read()).rejects.toMatchObject(missing);
  await expect(kept.turn({ side: "new", epoch: 1 })).rejects.toMatchObject(missing);
});

test("who may not write the table is told what to grant", async () => {
  await using owner = await postgresSwitch(server.url(), { name: "rights", create: true });
  await owner.read();
  await server.query("CREATE ROLE reader LOGIN PASSWORD 'reader'");
  await server.query(
    "GRANT USAGE ON SCHEMA cutover_data TO reader; GRANT SELECT ON cutover_data.switch TO reader",
  );
  const url = new URL(server.url());
  [url.username, url.password] = ["reader", "reader"];
  await using reader = await postgresSwitch(url.href, { name: "rights" });
  expect(await reader.read()).toEqual({ side: "old", epoch: 0 });
  await expect(reader.turn({ side: "new", epoch: 1 })).rejects.toMatchObject({
    code: "CUTOVER_DATA_DENIED",
    remedy: expect.stringContaining("GRANT SELECT, INSERT") as string,
  });
  expect(await reader.read()).toEqual({ side: "old", epoch: 0 });
});

test("is followed on after the server was away, and calls go on meanwhile", async () => {
  await using kept = await postgresSwitch(server.url(), { name: "away", create: true });
  const types: string[] = [];
  await using follower = await followSwitch(kept, { onEvent: ({ type }) => types.push(type) });
  await server.halt("immediate");
  await expect(kept.read()).rejects.toMatchObject({ code: "CUTOVER_DATA_UNAVAILABLE" });
  expect(await follower.run(({ side }) => Promise.resolve(side))).toBe("old");
  await server.start();
  await using other = await postgresSwitch(server.url(), { name: "away" });
  await other.turn({ side: "new", epoch: 1 });
  const heard = await follower.read(({ side }) => Promise.resolve(side), { fresh: true });
  expect(heard).toBe("new");
  expect(types).toContain("switch-trouble");
}, 60_000);

test("a process that only follows ends when its own work does", async () => {
  const at = (file: string): string => JSON.stringify(join(import.meta.dirname, file));
  const script = `const { followSwitch } = await import(${at("follow.ts")});
    const { postgresSwitch } = await import(${at("postgres-switch.ts")});
    const kept = await postgresSwitch(${JSON.stringify(server.url())}, { name: "ends", create: true });
    const follower = await followSwitch(kept);
    await new Promise((resolve) => setTimeout(resolve, 250));
    console.log(follower.standing.side);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { timeout: 20_000 });
  let told = "";
  child.stdout.on("data", (part: Buffer) => (told += part.toString()));
  child.stderr.on("data", (part: Buffer) => (told += part.toString()));
  const how = await new Promise((resolve) => child.on("close", (code, signal) => resolve(signal ?? code)));
  expect([how, told]).toEqual([0, "old\n"]);
});

test("a closed switch, an address of something else and unknown options are refused", async () => {
  const kept = await postgresSwitch(server.url(), { name: "closed", create: true });
  await kept[Symbol.asyncDispose]();
  await expect(kept.read()).rejects.toMatchObject({ code: "CUTOVER_DATA_CLOSED" });
  await expect(postgresSwitch("data/switch")).rejects.toMatchObject({ code: "CUTOVER_DATA_ADDRESS" });
  await expect(postgresSwitch(server.url(), { nam: "a" } as object)).rejects.toThrow('"nam"');
  await expect(postgresSwitch(server.url(), { name: "" })).rejects.toMatchObject({
    code: "CUTOVER_DATA_OPTIONS",
  });
});
