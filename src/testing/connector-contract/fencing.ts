import { sleep, systemClock } from "../../core/index.ts";
import { refusal } from "../store-contract/tools.ts";
import { type ConnectorTools, pairs } from "./subject.ts";

export function fenceContract({ describe, expect, withSubject }: ConnectorTools): void {
  const signal = (): AbortSignal => AbortSignal.timeout(20_000);

  describe("fencing off writers", () => {
    withSubject("a fence refuses older epochs, takes the new one, and is lifted again", async (given) => {
      const { store, subject } = given;
      const from = await store.capture("s");
      await subject.write([given.set("a", "1")], 0);
      const head = await store.fence(2, { signal: signal() });
      expect(await refusal(subject.write([given.set("b", "1")], 0))).toBe("CUTOVER_DATA_FENCED");
      expect(await refusal(subject.write([given.gone("a")], 1))).toBe("CUTOVER_DATA_FENCED");
      expect(await given.content()).toEqual(pairs([given.row("a", "1")]));
      await subject.write([given.set("c", "1")], 2);
      await store.lift(1);
      await subject.write([given.set("d", "1")], 1);
      const told = await given.logged("s", from);
      expect(told.filter(({ position }) => position > head).length).toBe(2);
      expect(told.length).toBe(3);
      await store.release("s");
    });

    withSubject("a lift that comes late leaves the fence of a later crossing", async (given) => {
      const { store, subject } = given;
      await store.fence(6, { signal: signal() });
      await store.lift(4);
      expect(await refusal(subject.write([given.set("a", "1")], 4))).toBe("CUTOVER_DATA_FENCED");
      await store.lift(5);
      await subject.write([given.set("a", "1")], 5);
      expect((await given.content()).length).toBe(1);
      await store.lift(0);
    });

    withSubject("what moves write goes through a fence", async (given) => {
      await given.store.fence(5, { signal: signal() });
      await given.apply({ rows: [given.row("a", "moved")] });
      expect((await given.content()).length).toBe(1);
      await given.store.lift(0);
    });

    withSubject("writers in full flight: nothing of the old epoch lies after the fence", async (given) => {
      const { store, subject } = given;
      const from = await store.capture("s");
      let refused = 0;
      let written = 0;
      const writers = Array.from({ length: 4 }, async (_, writer) => {
        for (let i = 0; refused < 8 && i < 5_000; i++) {
          const outcome = await refusal(subject.write([given.set(`w${writer}-${i}`, "v")], 1));
          if (outcome === "CUTOVER_DATA_FENCED") refused++;
          else if (outcome === "nothing thrown") written++;
          else throw new TypeError(outcome);
        }
      });
      // At least one write of each has begun.
      await Promise.resolve();
      const head = await store.fence(2, { signal: signal() });
      const there = (await given.content()).length;
      await Promise.all(writers);
      expect((await given.content()).length).toBe(there);
      expect(there).toBe(written);
      // Asked of the log, not of where it ends: a server's log grows by what the server writes for itself.
      const told = await given.logged("s", from);
      expect(told.flatMap(({ changes }) => changes).length).toBe(written);
      expect(told.every(({ position }) => position <= head)).toBe(true);
      await store.release("s");
    });

    withSubject("a fence waits for a transaction that is open, or leaves with its signal", async (given) => {
      const { store, subject } = given;
      if (subject.begin === undefined) return;
      const from = await store.capture("s");
      const first = await subject.begin([given.set("a", "1")], 1);
      const stop = new AbortController();
      const impatient = store.fence(2, { signal: stop.signal });
      systemClock.after(50, () => stop.abort(new TypeError("not longer")));
      const [left] = await Promise.allSettled([impatient]);
      expect(left?.status).toBe("rejected");
      let fenced = false;
      const patient = store.fence(2, { signal: signal() }).then((head) => {
        fenced = true;
        return head;
      });
      await sleep(systemClock, 50);
      expect(fenced).toBe(false);
      await first.commit();
      const head = await patient;
      const told = await given.logged("s", from);
      expect(told.map(({ position }) => position <= head)).toEqual([true]);
      await store.lift(1);
      await store.release("s");
    });

    withSubject("a fence holds after the store was opened again", async (given) => {
      if (given.subject.reopen === undefined) return;
      await given.store.fence(3, { signal: signal() });
      const again = await given.reopen();
      try {
        expect(await refusal(again.subject.write([again.set("a", "1")], 2))).toBe("CUTOVER_DATA_FENCED");
        await again.store.fence(1, { signal: signal() });
        expect(await refusal(again.subject.write([again.set("a", "1")], 2))).toBe("CUTOVER_DATA_FENCED");
        await again.store.lift(0);
        await again.subject.write([again.set("a", "1")], 0);
        expect((await again.content()).length).toBe(1);
      } finally {
        await again.close();
      }
    });

    withSubject("a fence that is asked for too late is not set", async (given) => {
      const [outcome] = await Promise.allSettled([
        given.store.fence(7, { signal: AbortSignal.abort(new TypeError("too late")) }),
      ]);
      expect(outcome?.status).toBe("rejected");
      await given.write(given.set("a", "1"));
      expect((await given.content()).length).toBe(1);
    });
  });
}
