import { expect, test } from "vitest";
import type { Source, Target } from "../connector.ts";
import { TouchedSides } from "./touched-sides.ts";

const key = (text: string): Uint8Array => Buffer.from(text);

test("a place that is written after a look comes with its row, which the log had told of before that look", async () => {
  const sides = new TouchedSides("new");
  const log = async function* (): ReturnType<Source["log"]> {
    const changes = [{ collection: "", key: key("old:1"), value: key("v") }];
    yield await Promise.resolve({ transactions: [{ tx: "1", position: "1", at: 0, changes }], head: "1" });
  };
  const source = sides.touched.source({ log } as unknown as Source);
  const target = sides.touched.target({ applyTxn: () => Promise.resolve() } as unknown as Target);
  sides.begin();
  for await (const batch of source.log("slot", "0", { signal: new AbortController().signal }))
    expect(batch.transactions).toHaveLength(1);
  // The look in between: what it finds equal is forgotten.
  expect(sides.take().sourceKeys.map(({ key: each }) => String(each))).toEqual([String(key("old:1"))]);
  const changes = [{ collection: "", key: key("new/1"), value: key("v") }];
  await target.applyTxn({ job: "j", fence: 1, origin: "j", changes, rows: [] });
  const { sourceKeys, targetPlaces } = sides.now();
  expect([sourceKeys, targetPlaces].map((places) => places.map(({ key: each }) => String(each)))).toEqual([
    [String(key("old:1"))],
    [String(key("new/1"))],
  ]);
  // The one after it has seen the row's image written: nothing has to be kept for longer.
  sides.take();
  sides.take();
  expect(sides.now().sourceKeys).toEqual([]);
});
