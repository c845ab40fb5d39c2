import { mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openDataStore } from "./open-data-store.ts";

test("an address opens its store, and the store calls itself so", async () => {
  const path = mkdtempSync(join(tmpdir(), "cutover-address-"));
  try {
    new DatabaseSync(join(path, "d")).close();
    for (const address of [`leveldb:${path}/a`, `lmdb:${path}/b`, `files:${path}/c`, `sqlite:${path}/d`]) {
      await using store = await openDataStore(address, { create: true });
      expect(store.name).toBe(address);
      await store.collections();
    }
    const absent = openDataStore(`leveldb:${path}/none`);
    await expect(absent).rejects.toMatchObject({ code: "CUTOVER_DATA_MISSING" });
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
});

test("another text is refused with what is near, and shows no password", async () => {
  await expect(openDataStore("levldb:old")).rejects.toMatchObject({
    code: "CUTOVER_DATA_ADDRESS",
    remedy: expect.stringContaining('did you mean "leveldb"') as string,
  });
  await expect(openDataStore("data/old")).rejects.toThrow(/without a kind of store/);
  await expect(openDataStore("lmdb:")).rejects.toThrow(/does not say where/);
  for (const address of ["sqlite://old.db", "sqlite:old.db?mode=ro"])
    await expect(openDataStore(address, { create: true })).rejects.toMatchObject({
      code: "CUTOVER_DATA_ADDRESS",
      remedy: expect.stringContaining("write sqlite:old.db") as string,
    });
  const secret = openDataStore("mysql://ana:secret@host/db").catch((error: unknown) => JSON.stringify(error));
  expect(await secret).not.toContain("secret");
  await expect(openDataStore("lmdb:x", { wrong: 1 } as object)).rejects.toThrow(/"wrong"/);
});
