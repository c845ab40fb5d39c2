import type { Change } from "../../data/index.ts";
import { type ConnectorTools, hex } from "./subject.ts";

/** Steps of the walk; each is a transaction of up to four changes. */
const steps = 150;

export function walkContract({ describe, expect, withSubject }: ConnectorTools): void {
  describe("a random walk", () => {
    withSubject("rows and log agree with a model after every kind of write", async (given) => {
      const next = sequence(0x5eed);
      const rows = new Map<string, string>();
      const replayed = new Map<string, string>();
      const from = await given.store.capture("s");
      const apply = (model: Map<string, string>, { key, value }: Change): void => {
        if (value === null) model.delete(hex(key));
        else model.set(hex(key), hex(value));
      };
      for (let step = 0; step < steps; step++) {
        const changes = Array.from({ length: 1 + (next() % 4) }, (): Change => {
          const key = Buffer.from([next() % 3, next() % 256].slice(0, 1 + (next() % 2)));
          return next() % 3 === 0 ? given.gone(key) : given.set(key, Buffer.alloc(next() % 40, next()));
        });
        if (next() % 5 === 0) await given.apply({ changes, job: "walk" });
        else await given.write(...changes);
        for (const change of changes) apply(rows, change);
      }
      const sorted = [...rows].toSorted(([a], [b]) =>
        Buffer.compare(Buffer.from(a, "hex"), Buffer.from(b, "hex")),
      );
      expect(await given.content()).toEqual(sorted);
      for (const { changes } of await given.logged("s", from))
        for (const change of changes) apply(replayed, change);
      expect(replayed).toEqual(rows);
      await given.store.release("s");
    });
  });
}

/** Numbers that look random and are the same every time (a linear congruence, the high bits of 32). */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
}
