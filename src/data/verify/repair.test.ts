import { expect, test } from "vitest";
import type { Change, Row } from "../connector.ts";
import { openMemoryStore } from "../connectors/memory.ts";
import { keptIn, mapValues, noImage } from "../map.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { repairData, type RepairOptions } from "./repair.ts";
import { verifyData, type VerifyOptions } from "./verify.ts";

const random = (length: number): Uint8Array => new Uint8Array(length).fill(7);
const key = (index: number): Buffer => Buffer.from(`k${String(index).padStart(5, "0")}`);
const put = (index: number, text: string): Change => ({
  collection: "",
  key: key(index),
  value: Buffer.from(text),
});
const drop = (index: number): Change => ({ collection: "", key: key(index), value: null });
type Store = ReturnType<typeof openMemoryStore>;

async function storeOf(count: number): Promise<Store> {
  const store = openMemoryStore();
  await store.write(Array.from({ length: count }, (_, index) => put(index, `value ${index}`)));
  return store;
}
const fix = (
  source: Store,
  target: Store,
  places: RepairOptions["places"],
  options: Partial<RepairOptions> = {},
) =>
  repairData({
    source,
    target,
    places,
    job: "repair",
    fence: 1,
    origin: "move",
    clock: new ManualClock(),
    ...options,
  });
const look = (source: Store, target: Store, options: Partial<VerifyOptions> = {}) =>
  verifyData({ source, target, random, ...options });

test("what a verification found is repaired, and the next one finds nothing", async () => {
  const [source, target] = [await storeOf(2_000), await storeOf(2_000)];
  await target.write([put(5, "wrong"), drop(6), put(9_000, "extra"), put(1_999, "")]);
  const { differences } = await look(source, target);
  expect(await fix(source, target, differences)).toMatchObject({ written: 3, removed: 1, wellAlready: 0 });
  expect((await look(source, target)).equal).toBe(true);
  expect(await fix(source, target, differences)).toMatchObject({ written: 0, removed: 0, wellAlready: 4 });
});

test("a dry run lists what it would do and writes nothing", async () => {
  const [source, target] = [await storeOf(100), await storeOf(100)];
  await target.write([drop(6)]);
  const { differences } = await look(source, target);
  const plan = await fix(source, target, differences, { dryRun: true });
  expect(plan).toMatchObject({ written: 1, differences: [{ kind: "missing", key: key(6) }] });
  expect((await look(source, target)).counts.missing).toBe(1);
});

test("a row that was deleted between the verification and the repair does not come back", async () => {
  const [source, target] = [await storeOf(100), await storeOf(100)];
  await target.write([drop(50)]);
  const { differences } = await look(source, target);
  // The move takes its last events before it holds still.
  const hold = async <T>(body: () => Promise<T>): Promise<T> => {
    await source.write([drop(50)]);
    return body();
  };
  expect(await fix(source, target, differences, { hold })).toMatchObject({ written: 0, wellAlready: 1 });
  expect(await target.get("", [key(50)])).toEqual([undefined]);
});

test("more differences than the limit are refused before anything is written", async () => {
  const [source, target] = [await storeOf(100), openMemoryStore()];
  const { differences } = await look(source, target);
  const repairing = fix(source, target, differences, { limit: 99 });
  await expect(repairing).rejects.toMatchObject({ code: "CUTOVER_DATA_DIFFERS" });
  expect(await target.count({ collection: "" })).toBe(0);
});

test("a repairer whose place was taken writes nothing", async () => {
  const [source, target] = [await storeOf(10), openMemoryStore()];
  await target.applyTxn({ job: "repair", fence: 2, origin: "move", changes: [], rows: [] });
  const { differences } = await look(source, target);
  await expect(fix(source, target, differences)).rejects.toMatchObject({ code: "CUTOVER_LEASE_LOST" });
});

test("through a map, images, rows in quarantine and rows too many are put right", async () => {
  const map = mapValues(({ value }) => {
    if (Buffer.from(value).toString() === "value 3") throw noImage("three is not mapped");
    return Buffer.from(Buffer.from(value).toString().toUpperCase());
  });
  const [source, target] = [await storeOf(50), openMemoryStore()];
  await target.write([put(3, "VALUE 3"), put(4, "VALUE 4"), put(5, "value 5")]);
  const { differences, counts } = await look(source, target, { map });
  expect(counts).toEqual({ missing: 48, extra: 1, different: 1, clash: 0 });
  await fix(source, target, differences, { map });
  expect((await look(source, target, { map })).equal).toBe(true);
  const kept: Row[] = [];
  for await (const rows of target.scan({ collection: keptIn.aside })) kept.push(...rows);
  expect(kept).toHaveLength(1);
});

test("two rows with one image stay named, and nothing is written over them", async () => {
  const [source, target] = [await storeOf(2), openMemoryStore()];
  const map = { map: () => ({ key: Buffer.from("one"), value: Buffer.from("x") }) };
  const { differences } = await look(source, target, { map });
  expect(await fix(source, target, differences, { map })).toMatchObject({
    written: 0,
    clashes: [{ collection: "" }],
  });
});
