import { expect, test } from "vitest";
import type { Change, Reader } from "../connector.ts";
import { openMemoryStore } from "../connectors/memory.ts";
import { type DataMap, noImage } from "../map.ts";
import { follower } from "../../../test/crossing/followed.ts";
import { confirmTouched } from "./confirm-touched.ts";
import { overlay, Touched } from "./touched.ts";
import { type Verification, verifyData } from "./verify.ts";
import { lookAtTouched } from "./verify-touched.ts";

const random = (length: number): Uint8Array => new Uint8Array(length).fill(5);
const bytes = (text: string): Buffer => Buffer.from(text);
const put = (index: number, text: string): Change => ({
  collection: "",
  key: bytes(`k${String(index).padStart(5, "0")}`),
  value: bytes(text),
});
const at = (index: number, text: string): Change => ({
  ...put(index, text),
  key: bytes(`${text}/k${String(index).padStart(5, "0")}`),
});

/** Images lie by their values: a row that changes has its image elsewhere. */
const byValue: DataMap = {
  map: ({ key, value }) => {
    if (String(Buffer.from(value)) === "none") throw noImage("it says so");
    return { key: Buffer.concat([value, bytes("/"), key]), value };
  },
};

type Store = ReturnType<typeof openMemoryStore>;

/** Both sides of a move that is followed, and how often each was read from end to end. */
async function moved(count: number, map: DataMap) {
  const [source, target, touched] = [openMemoryStore(), openMemoryStore(), new Touched()];
  await source.write(Array.from({ length: count }, (_, index) => put(index, `v${index % 7}`)));
  const scans = { source: 0, target: 0 };
  const catchUp = follower(source, target, touched, map);
  await catchUp();
  const counted = (store: Store, side: keyof typeof scans, write: () => Promise<void>): Reader =>
    overlay<Reader>(store, {
      async *scan(...args: Parameters<Reader["scan"]>) {
        if (args[0].collection === "") scans[side]++;
        let batches = 0;
        for await (const rows of store.scan(...args)) {
          yield rows;
          if (batches++ === 0) await write();
        }
      },
    });
  /** Verifies while `write` is called in the middle of each scan. */
  const verify = async (write: () => Promise<void>): Promise<Verification> => {
    touched.begin();
    return await verifyData({
      source: counted(source, "source", write),
      target: counted(target, "target", write),
      map,
      caughtUp: catchUp,
      touched,
      random,
    });
  };
  return { source, target, touched, scans, catchUp, verify };
}

test("through a map each side is read once while applications write, and what they touch is looked at after it", async () => {
  const { source, target, touched, scans, catchUp, verify } = await moved(3_000, byValue);
  let writes = 0;
  const found = await verify(async () => {
    writes++;
    await source.write([put(10 + writes, `w${writes}`), put(5_000 + writes, "new"), put(2_900, "none")]);
    await source.write([{ ...put(20 + writes, ""), value: null }]);
  });
  expect(found).toMatchObject({ equal: true, differences: [] });
  expect(scans).toEqual({ source: 1, target: 1 });
  expect(writes).toBe(2);
  const looked = await confirmTouched({
    touched,
    look: (places) => lookAtTouched({ source, target, map: byValue, touched: places }),
    caughtUp: catchUp,
  });
  expect(looked).toMatchObject({ differences: [], unsettled: 0 });
  expect(looked?.looked).toBeGreaterThan(4);
});

test("what is wrong is told from what is late by one more look at both sides, not by one for each round", async () => {
  const { source, target, scans, verify } = await moved(3_000, byValue);
  await target.write([
    { ...at(70, "v0"), value: bytes("wrong") },
    { ...at(71, "v1"), value: null },
    at(9_000, "extra"),
  ]);
  const found = await verify(() => source.write([put(10, "late"), put(9_500, "late too")]));
  expect(found.counts).toEqual({ missing: 1, different: 1, extra: 1, clash: 0 });
  expect(scans).toEqual({ source: 2, target: 2 });
});

test("a row that the move has lost is wrong, although it was touched", async () => {
  const { source, target, touched, catchUp, verify } = await moved(1_000, byValue);
  await source.write([put(5, "first")]);
  const found = await verify(() => source.write([put(6, "second")]));
  expect(found.equal).toBe(true);
  await target.write([{ ...at(6, "second"), value: null }, at(400, "x")]);
  const looked = await confirmTouched({
    touched,
    look: (places) => lookAtTouched({ source, target, map: byValue, touched: places }),
    caughtUp: catchUp,
  });
  // The place that nobody touched was equal when it was read.
  expect(looked?.differences.map(({ kind }) => kind)).toEqual(["missing"]);
});

test("when more was written than is remembered, late is told from wrong by reading everything again", async () => {
  const [source, target, touched] = [openMemoryStore(), openMemoryStore(), new Touched({ limit: 3 })];
  await source.write(Array.from({ length: 200 }, (_, index) => put(index, "v")));
  const catchUp = follower(source, target, touched, byValue);
  await catchUp();
  await target.write([{ ...at(70, "v"), value: bytes("wrong") }]);
  touched.begin();
  await source.write([1, 2, 3, 4, 5].map((index) => put(index, "w")));
  const options = { source, target, map: byValue, caughtUp: catchUp, touched, random };
  const found = await verifyData(options);
  expect(found).toMatchObject({ equal: false, counts: { different: 1, missing: 0, extra: 0 } });
  const look = (): never => {
    throw new Error("expected no look at what is not known");
  };
  expect(await confirmTouched({ touched, look, caughtUp: catchUp })).toBeUndefined();
});

test("through a map, too, a store that shows a row in one scan and not in the next is an alarm", async () => {
  const { source, target } = await moved(500, byValue);
  let scans = 0;
  const lying = overlay<Reader>(target, {
    async *scan(...args: Parameters<Reader["scan"]>) {
      const hide = args[0].collection === "" && scans++ % 2 === 0;
      for await (const rows of target.scan(...args))
        yield hide ? rows.filter(({ key }) => !String(Buffer.from(key)).endsWith("k00250")) : rows;
    },
  });
  const found = await verifyData({ source, target: lying, map: byValue, random });
  expect(found.equal).toBe(false);
  expect(found.unexplained).toMatchObject([{ delta: { count: 1 }, found: { count: 0 } }]);
});

test("images of one row at several places, and one that is at a place twice, are found where they are wrong", async () => {
  const [source, target] = [openMemoryStore(), openMemoryStore()];
  const map: DataMap = {
    map: ({ key, value }) => ["a", "b"].map((part) => ({ key: Buffer.concat([bytes(part), key]), value })),
  };
  await source.write(Array.from({ length: 300 }, (_, index) => put(index, "v")));
  const images = Array.from({ length: 300 }, (_, index) =>
    ["a", "b"].map((part) => ({
      ...put(index, "v"),
      key: bytes(`${part}k${String(index).padStart(5, "0")}`),
    })),
  );
  await target.write(images.flat());
  const options = { source, target, map, random };
  expect(await verifyData(options)).toMatchObject({ equal: true, leaves: 1 });
  await target.write([{ ...put(0, ""), key: bytes("bk00007"), value: null }]);
  const found = await verifyData(options);
  expect(found.differences).toMatchObject([{ kind: "missing", key: bytes("bk00007") }]);
  // Whatever the values: no store could hold both.
  const twice: DataMap = { map: ({ key, value }) => ({ key: key.subarray(0, 5), value }) };
  const clashing = await verifyData({ ...options, map: twice, limit: 5 });
  expect(clashing.counts.clash).toBe(30);
});

test("places that a move touched are left out only where a map makes them hard to find", async () => {
  const store = openMemoryStore();
  const options = { source: store, target: store, touched: new Touched(), random };
  await expect(verifyData(options)).rejects.toMatchObject({ code: "CUTOVER_DATA_OPTIONS" });
});
