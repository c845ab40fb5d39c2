import { expect, test } from "vitest";
import type { CapturedStore } from "../capture-store.ts";
import type { Change } from "../connector.ts";
import { openMemoryStore } from "../connectors/memory.ts";
import type { DataMap, SourceRow } from "../map.ts";
import { overlay } from "../verify/touched.ts";
import { type Ground, readGround } from "./ground.ts";
import { memorySwitch } from "./memory-switch.ts";
import { sampleWayBack } from "./sampled-rows.ts";

const bytes = (text: string): Buffer => Buffer.from(text);
const put = (key: string, value: string | null): Change => ({
  collection: "",
  key: bytes(key),
  value: value === null ? null : bytes(value),
});
const same = (collection: string, key: Uint8Array) => [{ collection, key }];
const map: DataMap = {
  map: ({ key, value }) => ({ key, value: Buffer.concat([value, bytes("!")]) }),
  places: same,
};
const back = {
  map: ({ key, value }: SourceRow) => ({ key, value: value.subarray(0, value.length - 1) }),
  places: same,
};

const groundOf = (old: CapturedStore, young: CapturedStore): Promise<Ground> =>
  readGround({
    old,
    new: young,
    switch: memorySwitch(),
    job: "job",
    fence: 1,
    map,
    back,
    random: (length) => new Uint8Array(length),
  });

/** Both sides, with a row that is gone from the old one whenever it is looked at there, and comes again before the next look. */
async function restless(): Promise<{ ground: Ground; caughtUp: () => Promise<void>; young: CapturedStore }> {
  const [old, young] = [openMemoryStore(), openMemoryStore()];
  await old.write([put("a", "1"), put("hot", "0")]);
  await young.write([put("a", "1!"), put("hot", "0!")]);
  const leaving = overlay<CapturedStore>(old, {
    get: async (...given: Parameters<CapturedStore["get"]>) => {
      await old.write([put("hot", null)]);
      return await old.get(...given);
    },
  });
  let n = 0;
  const caughtUp = async (): Promise<void> => {
    n++;
    await old.write([put("hot", String(n))]);
    await young.write([put("hot", `${n}!`)]);
  };
  return { ground: await groundOf(leaving, young), caughtUp, young };
}

test("a row that is removed and written all the time is not called wrong, however often it is looked at", async () => {
  const { ground, caughtUp } = await restless();
  expect(await sampleWayBack(ground, caughtUp)).toEqual({ rows: 2 });
});

test("beside such a row, one that does not become the old row again is named", async () => {
  const { ground, caughtUp, young } = await restless();
  await young.write([put("b", "nobody has it!")]);
  await expect(sampleWayBack(ground, caughtUp)).rejects.toMatchObject({
    code: "CUTOVER_DATA_PREFLIGHT",
    message: expect.stringContaining('"b"') as string,
  });
});
