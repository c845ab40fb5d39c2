import fc from "fast-check";
import { expect, test } from "vitest";
import { classMayFit, classSurelyFits, nextClassToLookAt, sizeClass } from "./size-class.ts";

const slots = fc.integer({ min: 0, max: 200 });
const memory = fc.oneof(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 0, max: 2 ** 50 }));

test("an order that fits is never in a class that is passed over", () => {
  fc.assert(
    fc.property(slots, memory, slots, memory, (needSlots, needMemory, freeSlots, freeMemory) => {
      const fits = needSlots <= freeSlots && needMemory <= freeMemory;
      const id = sizeClass(needSlots, needMemory);
      if (fits) expect(classMayFit(id, freeSlots, freeMemory)).toBe(true);
      if (classSurelyFits(id, freeSlots, freeMemory)) expect(fits).toBe(true);
    }),
  );
});

test("stepping from class to class passes every class that may fit", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(slots, memory)), slots, memory, (needs, freeSlots, freeMemory) => {
      const present = [...new Set(needs.map(([s, m]) => sizeClass(s, m)))].sort((a, b) => a - b);
      const looked: number[] = [];
      for (let from = 0; ;) {
        const next = present.find((id) => id >= from);
        if (next === undefined) break;
        looked.push(next);
        from = nextClassToLookAt(next, freeSlots, freeMemory);
      }
      for (const id of present) {
        if (classMayFit(id, freeSlots, freeMemory)) expect(looked).toContain(id);
      }
    }),
  );
});

test("sizes within a power of two share a class, others do not", () => {
  const gigabyte = 2 ** 30;
  expect(sizeClass(1, 4 * gigabyte)).toBe(sizeClass(1, 8 * gigabyte - 1));
  expect(sizeClass(1, 4 * gigabyte)).not.toBe(sizeClass(1, 8 * gigabyte));
  expect(sizeClass(1, 4 * gigabyte)).not.toBe(sizeClass(2, 4 * gigabyte));
});
