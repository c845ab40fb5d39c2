import { expect, test } from "vitest";
import { memorySwitch } from "../cutover/memory-switch.ts";
import { crossOver } from "../cutover/crossing.ts";
import type { Change, Reader } from "../connector.ts";
import { openMemoryStore } from "../connectors/memory.ts";
import type { DataMap, Place } from "../map.ts";
import { backfilled, crossingOf, follower } from "../../../test/crossing/followed.ts";
import { confirmTouched } from "./confirm-touched.ts";
import { overlay, Touched } from "./touched.ts";
import { clashesAt } from "./touched-clashes.ts";
import { type Verification, verifyData } from "./verify.ts";
import { lookAtTouched } from "./verify-touched.ts";

const random = (length: number): Uint8Array => new Uint8Array(length).fill(5);
const bytes = (text: string): Buffer => Buffer.from(text);
const row = (house: string, index: number, text: string | null): Change => ({
  collection: "",
  key: bytes(`${house}:${String(index).padStart(5, "0")}`),
  value: text === null ? null : bytes(text),
});

/** Leaves the house out of the key: rows of two houses with one number have one image. */
const map: DataMap = {
  map: ({ key, value }) => ({ key: key.subarray(2), value }),
  places: (collection, key) => [{ collection, key: key.subarray(2) }],
};

type Store = ReturnType<typeof openMemoryStore>;

async function filled(count: number): Promise<{ source: Store; target: Store }> {
  const [source, target] = [openMemoryStore(), openMemoryStore()];
  await source.write(Array.from({ length: count }, (_, index) => row("a", index, `v${index}`)));
  return { source, target };
}

/** Once, after the first batch that is read: what the store gives from then on is not read again. */
function writingIn<T extends Reader>(store: T, write: () => Promise<unknown>): T {
  let written = false;
  return overlay<Reader>(store, {
    async *scan(...args: Parameters<Reader["scan"]>) {
      for await (const rows of store.scan(...args)) {
        yield rows;
        if (!written) await write();
        written = true;
      }
    },
  }) as T;
}

/** A verification while the move is followed and `write` is called in the middle of it, with the look at what was touched. */
async function verified(
  { source, target }: { source: Store; target: Store },
  write: () => Promise<unknown>,
): Promise<{ found: Verification; looked: readonly string[]; clashes: readonly string[] }> {
  const touched = new Touched();
  const catchUp = follower(source, target, touched, map);
  await catchUp();
  touched.begin();
  const sides = { source: writingIn<Reader>(source, write), target, map };
  const found = await verifyData({ ...sides, caughtUp: catchUp, touched, random });
  const places: Place[] = [];
  const looked = await confirmTouched({
    touched,
    look: (at) => {
      places.push(...at.targetPlaces);
      return lookAtTouched({ source, target, map, touched: at });
    },
    caughtUp: catchUp,
  });
  const clashes = await clashesAt({ source, target, map, collections: [""], targets: [""] }, places);
  const said = (each: { readonly kind: string; readonly key: Uint8Array }): string =>
    `${each.kind} ${String(Buffer.from(each.key))}`;
  return { found, looked: (looked?.differences ?? []).map(said), clashes: clashes.map(said) };
}

test("a row that is written where the image of another one lies is seen in the same verification", async () => {
  const sides = await filled(3_000);
  const { found, looked, clashes } = await verified(sides, () =>
    sides.source.write([row("b", 7, "took its place"), row("b", 4_000, "alone"), row("a", 8, "changed")]),
  );
  // What was touched is as the row says that was written last.
  expect([found.differences, looked]).toEqual([[], []]);
  expect(clashes).toEqual(["clash 00007"]);
});

test("two rows that meet and were both written are seen by the look at what was touched", async () => {
  const sides = await filled(500);
  const { looked } = await verified(sides, () =>
    sides.source.write([row("b", 900, "one"), row("c", 900, "two"), row("b", 901, "alone")]),
  );
  expect(looked).toEqual(["clash 00900"]);
});

test("a place that one row leaves and another one takes is no clash", async () => {
  const sides = await filled(500);
  const { found, looked, clashes } = await verified(sides, async () => {
    await sides.source.write([row("a", 3, null), row("b", 3, "the next one")]);
  });
  expect([found.equal, looked, clashes]).toEqual([true, [], []]);
  // Also when it is left while it is looked for.
  const source = writingIn<Reader>(sides.source, () =>
    sides.source.write([row("b", 3, null), row("c", 3, "x")]),
  );
  const place = { collection: "", key: bytes("00003") };
  expect(await clashesAt({ ...sides, source, map, collections: [""], targets: [""] }, [place])).toEqual([]);
});

test("a crossing does not stop anybody for a new side on which a row has taken another one's place", async () => {
  const { source, target } = await filled(2_000);
  await backfilled(source, target, map);
  const sw = memorySwitch();
  const old = writingIn(source, () => source.write([row("b", 11, "took its place")]));
  const crossing = crossOver(crossingOf({ old, new: target, switch: sw }, { map, oneWay: true }));
  await expect(crossing).rejects.toMatchObject({
    code: "CUTOVER_DATA_DIFFERS",
    message: expect.stringContaining('clash "00011" of the rows "a:00011" and "b:00011"') as string,
  });
  expect(await sw.read()).toEqual({ side: "old", epoch: 0 });
  await source.write([row("a", 12, "nobody was stopped")], { epoch: 0 });
});
