import { afterEach, expect, test, vi } from "vitest";
import { backfilled, crossingOf } from "../../../test/crossing/followed.ts";
import type { CapturedStore } from "../capture-store.ts";
import type { Change } from "../connector.ts";
import { openMemoryStore } from "../connectors/memory.ts";
import type { DataMap } from "../map.ts";
import { PlaceOwners } from "../verify/place-owners.ts";
import { overlay } from "../verify/touched.ts";
import { crossOver, goBack } from "./crossing.ts";
import type { CrossingEvent } from "./crossing-events.ts";
import { memorySwitch } from "./memory-switch.ts";
import type { Switch } from "./switch.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const bytes = (text: string): Buffer => Buffer.from(text);
const row = (key: string, value: string | null): Change => ({
  collection: "",
  key: bytes(key),
  value: value === null ? null : bytes(value),
});

/** Leaves the house out of the key: rows of two houses with one number have one image. */
const told: DataMap = {
  map: ({ key, value }) => ({ key: key.subarray(2), value }),
  places: (collection, key) => [{ collection, key: key.subarray(2) }],
};
const kept: DataMap = { map: told.map };
/** Rows of house k keep their keys, so that one of house a may come to lie where one of them does. */
const mixed: DataMap = {
  map: ({ key, value }) => ({ key: String(Buffer.from(key)).startsWith("k:") ? key : value, value }),
};

interface Sides {
  readonly source: CapturedStore;
  readonly target: CapturedStore;
  readonly sw: Switch;
}

async function followed(map: DataMap, rows: readonly Change[]): Promise<Sides> {
  const [source, target] = [openMemoryStore(), openMemoryStore()];
  await source.write(rows);
  await backfilled(source, target, map);
  return { source, target, sw: memorySwitch() };
}

const many = (count: number): readonly Change[] =>
  Array.from({ length: count }, (_, index) => row(`a:${index}`, `v${index}`));

/** Writes when the verification is over: at the last moment before the old side is fenced, or while the pause is measured. */
async function crossed(
  { source, target, sw }: Sides,
  map: DataMap,
  at: { readonly fence?: () => Promise<unknown>; readonly rehearsal?: () => Promise<unknown> },
): Promise<readonly CrossingEvent[]> {
  const events: CrossingEvent[] = [];
  let rehearsed = false;
  const young = overlay<CapturedStore>(target, {
    fence: async (...given: Parameters<CapturedStore["fence"]>) => {
      await at.fence?.();
      return await target.fence(...given);
    },
  });
  const asked = overlay<Switch>(sw, {
    read: async () => {
      const measuring = events.some((each) => each.type === "part" && each.words.startsWith("measures"));
      if (measuring && !rehearsed) {
        rehearsed = true;
        await at.rehearsal?.();
      }
      return await sw.read();
    },
  });
  const options = { map, oneWay: true, onEvent: (event: CrossingEvent) => void events.push(event) };
  await crossOver(crossingOf({ old: source, new: young, switch: asked }, options));
  return events;
}

const refused = (text: string): object => ({
  code: "CUTOVER_DATA_DIFFERS",
  message: expect.stringContaining(text) as string,
});

const valuesOf = async (store: CapturedStore): Promise<Record<string, string>> => {
  const found: Record<string, string> = {};
  for await (const rows of store.scan({ collection: "" }))
    for (const { key, value } of rows) found[String(Buffer.from(key))] = String(Buffer.from(value));
  return found;
};

test.each([
  ["whose places are told by the key", told],
  ["whose places are kept", kept],
])(
  "a row that takes the place of one nobody writes, at the last moment before the fence, ends the crossing: a map %s",
  async (_, map) => {
    const sides = await followed(map, many(300));
    const { source, sw } = sides;
    const crossing = crossed(sides, map, { fence: () => source.write([row("b:7", "took it")]) });
    await expect(crossing).rejects.toMatchObject(refused('clash "7" of the rows "a:7" and "b:7"'));
    expect((await sw.read()).side).toBe("old");
    // Writers were let on before the rows were looked for.
    await source.write([row("b:7", null), row("a:7", "v7")], { epoch: (await sw.read()).epoch });
    await crossed(sides, map, {});
    expect(await sw.read()).toMatchObject({ side: "new" });
  },
);

test("without the look at whose places were taken, that crossing goes through and a row is lost", async () => {
  vi.spyOn(PlaceOwners.prototype, "isOthers").mockReturnValue(false);
  const sides = await followed(told, many(300));
  await crossed(sides, told, { fence: () => sides.source.write([row("b:7", "took it")]) });
  expect(await sides.sw.read()).toMatchObject({ side: "new" });
  expect(Object.keys(await valuesOf(sides.source))).toHaveLength(301);
  expect(await valuesOf(sides.target)).toMatchObject({ 7: "took it" });
});

test("a row that took a place and is gone again has left it empty: that is told, too", async () => {
  const sides = await followed(told, many(300));
  const crossing = crossed(sides, told, {
    fence: async () => {
      await sides.source.write([row("b:7", "took it")]);
      await sides.source.write([row("b:7", null)]);
    },
  });
  await expect(crossing).rejects.toMatchObject(refused('missing "7"'));
  expect((await sides.sw.read()).side).toBe("old");
});

test("a place taken while the pause is measured stops nobody", async () => {
  const sides = await followed(told, many(300));
  const { source, sw } = sides;
  const crossing = crossed(sides, told, { rehearsal: () => source.write([row("b:9", "took it")]) });
  await expect(crossing).rejects.toMatchObject(refused('clash "9" of the rows "a:9" and "b:9"'));
  expect(await sw.read()).toEqual({ side: "old", epoch: 0 });
});

test("a place taken from a row that was written since the verification is seen as well", async () => {
  const sides = await followed(told, many(300));
  const { source } = sides;
  const crossing = crossed(sides, told, {
    rehearsal: () => source.write([row("c:900", "made since")]),
    fence: () => source.write([row("b:900", "took it")]),
  });
  await expect(crossing).rejects.toMatchObject(refused('clash "900" of the rows "b:900" and "c:900"'));
});

test("a place that one row leaves and another one takes is no clash, whenever that is", async () => {
  const sides = await followed(told, many(300));
  const { source, target } = sides;
  const hand = (from: string, to: string) => async (): Promise<void> => {
    await source.write([row(from, null)]);
    await source.write([row(to, "the next one")]);
  };
  await crossed(sides, told, { rehearsal: hand("a:3", "b:3"), fence: hand("b:3", "c:3") });
  expect(await sides.sw.read()).toMatchObject({ side: "new" });
  expect(await valuesOf(target)).toMatchObject({ 3: "the next one" });
});

test("rows that keep their keys are known without being remembered", async () => {
  const rows = [...Array.from({ length: 200 }, (_, n) => row(`k:${n}`, `v${n}`)), row("a:1", "elsewhere")];
  const sides = await followed(mixed, rows);
  const { source } = sides;
  const crossing = crossed(sides, mixed, { fence: () => source.write([row("a:1", "k:5")]) });
  await expect(crossing).rejects.toMatchObject(refused('clash "k:5" of the rows "a:1" and "k:5"'));
});

test("more images than are remembered: the old side is read in the pause, and the pause that this takes is predicted", async () => {
  vi.spyOn(PlaceOwners.prototype, "complete", "get").mockReturnValue(false);
  const sides = await followed(told, many(300));
  const { source, sw } = sides;
  const crossing = crossed(sides, told, { fence: () => source.write([row("b:7", "took it")]) });
  await expect(crossing).rejects.toMatchObject(refused('clash "7" of the rows "a:7" and "b:7"'));
  expect((await sw.read()).side).toBe("old");
});

test.each(["written", "all"] as const)(
  "a row that leads back to the place of one nobody writes ends the way back, whatever is compared: %s",
  async (check) => {
    const house = bytes("a:");
    const housed: DataMap = {
      map: ({ key, value }) => ({ key: Buffer.concat([house, key]), value }),
      places: (collection, key) => [{ collection, key: Buffer.concat([house, key]) }],
    };
    const sides = await followed(
      housed,
      Array.from({ length: 20 }, (_, index) => row(`${index}`, `v${index}`)),
    );
    const { source, target, sw } = sides;
    const both = { old: source, new: target, switch: sw };
    await crossOver(crossingOf(both, { map: housed, back: told }));
    await target.write([row("b:7", "other")], { epoch: (await sw.read()).epoch });
    const returning = goBack(crossingOf(both, { map: housed, back: told, check }));
    await expect(returning).rejects.toMatchObject(refused('different "a:7"'));
    expect((await sw.read()).side).toBe("new");
  },
);
