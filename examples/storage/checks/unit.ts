import { deepStrictEqual, ok } from "node:assert/strict";
import { fromNew, fromOld, inNew, inOld, newKeys, toNew, toOld } from "../engine/layout.ts";
import { memoryText } from "../engine/memory.ts";
import { damaged, seedAt } from "../engine/seeds.ts";

/** Layouts and the way between them, without any store. */
export const unit = (): Promise<readonly string[]> => {
  const tried = 5_000;
  let rounded = 0;
  for (let index = 0; index < tried; index++) {
    const memory = seedAt(index);
    const old = { collection: "", ...inOld(memory) };
    const image = toNew.map(old) as { key: Buffer; value: Buffer };
    deepStrictEqual(image, inNew(memory));
    ok(newKeys(memory.layer, memory.id).some((key) => key.equals(image.key)));
    const back = toOld.map({ collection: "", ...image }) as { key: Buffer; value: Buffer };
    deepStrictEqual([back.key, back.value], [old.key, old.value]);
    deepStrictEqual(fromOld(old), fromNew(image));
    if (BigInt(Number(memory.at)) !== memory.at) rounded++;
    ok(memoryText(2, memory).includes(`"at":${memory.at},`));
  }
  // As JavaScript numbers most of them would come back with other digits: else this would prove nothing.
  ok(rounded > 0.9 * tried);
  for (const row of damaged) ok(fromOld(row) === undefined);
  return Promise.resolve([`${tried} memories go there and back to the letter, timestamps to the nanosecond`]);
};
