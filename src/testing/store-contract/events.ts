import { canonicalJson, sha256 } from "../../core/index.ts";
import type { StoredEvent } from "../../store/index.ts";
import { type ContractCase, created, newOrder, refusal, stepMoved } from "./tools.ts";

export function eventContract({ describe, expect, withStore }: ContractCase): void {
  describe("events", () => {
    withStore("an empty store has a whole chain", async ({ store }) => {
      expect(await store.events.verify()).toEqual({ whole: true, events: 0, head: "0".repeat(64) });
      expect(await store.events.read({ limit: 10 })).toEqual([]);
      expect(await store.events.count()).toBe(0);
    });

    withStore("every event carries the hash of the one before", async ({ store }) => {
      await store.runs.commit("r1", [created, stepMoved("a", "PENDING", "RUNNING")]);
      await store.orders.submit([
        newOrder("o1", { payload: { text: "é \u2028 \ud83d\ude00 \u0000", n: 1e21 } }),
      ]);
      const events = await store.events.read({ limit: 10 });
      expect(events.map((event) => event.seq)).toEqual([1, 2, 3]);
      let previous = "0".repeat(64);
      for (const { seq, at, stream, type, data, ...link } of events) {
        expect(link.previous).toBe(previous);
        expect(link.hash).toBe(sha256(canonicalJson({ at, data, previous, seq, stream, type })));
        previous = link.hash;
      }
      expect(await store.events.verify()).toEqual({ whole: true, events: 3, head: previous });
    });

    withStore("events are read by stream, type and position", async ({ store }) => {
      await store.runs.commit("r1", [created]);
      await store.runs.commit("r2", [created]);
      await store.runs.commit("r1", [
        stepMoved("a", "PENDING", "RUNNING"),
        stepMoved("b", "PENDING", "RUNNING"),
      ]);
      const seqs = async (query: Parameters<typeof store.events.read>[0]): Promise<number[]> =>
        (await store.events.read(query)).map((event) => event.seq);
      expect(await seqs({ limit: 2 })).toEqual([1, 2]);
      expect(await seqs({ after: 2, limit: 9 })).toEqual([3, 4]);
      expect(await seqs({ stream: "run:r1", limit: 9 })).toEqual([1, 3, 4]);
      expect(await seqs({ stream: "run:r1", after: 3, limit: 9 })).toEqual([4]);
      expect(await seqs({ types: ["run.created"], limit: 9 })).toEqual([1, 2]);
      expect(await seqs({ stream: "run:r1", types: ["note.added", "step.transition"], limit: 9 })).toEqual([
        3, 4,
      ]);
      expect(await seqs({ types: ["note.added"], limit: 9 })).toEqual([]);
    });

    withStore("listeners hear of committed events only, until they stop", async ({ store }) => {
      const heard: StoredEvent[] = [];
      const stop = store.events.subscribe((events) => heard.push(...events));
      store.events.subscribe(() => {
        throw new Error("a listener that fails");
      });
      const stored = await store.runs.commit("r1", [created]);
      await refusal(store.runs.commit("r1", [created]));
      expect(heard).toEqual(stored);
      stop();
      await store.runs.commit("r2", [created]);
      expect(heard.length).toBe(1);
    });

    withStore("a refused call among many of one tick harms none of the others", async ({ store }) => {
      await store.runs.commit("r1", [created]);
      const outcomes = await Promise.all([
        refusal(store.runs.commit("r1", [stepMoved("a", "PENDING", "RUNNING")])),
        refusal(store.runs.commit("r1", [stepMoved("b", "PENDING", "RUNNING")], { fence: 9 })),
        refusal(
          store.runs.commit("r1", [stepMoved("c", "PENDING", "RUNNING"), stepMoved("a", "DONE", "RUNNING")]),
        ),
        refusal(store.runs.commit("r1", [stepMoved("d", "PENDING", "RUNNING")])),
      ]);
      expect(outcomes).toEqual([
        "nothing thrown",
        "CUTOVER_LEASE_LOST",
        "CUTOVER_STORE_CONFLICT",
        "nothing thrown",
      ]);
      expect((await store.runs.steps("r1")).map(({ step }) => step)).toEqual(["a", "d"]);
      expect(await store.events.verify()).toMatchObject({ whole: true, events: 3 });
    });

    withStore("a closed store refuses every call", async ({ store }) => {
      await store.close();
      await store.close();
      expect(await refusal(store.runs.commit("r1", [created]))).toBe("CUTOVER_STORE_CLOSED");
      expect(await refusal(store.runs.get("r1"))).toBe("CUTOVER_STORE_CLOSED");
    });

    withStore("what was asked for before closing is still done", async ({ store }) => {
      const work = store.runs.commit("r1", [created]);
      await store.close();
      expect((await work).length).toBe(1);
    });
  });
}
