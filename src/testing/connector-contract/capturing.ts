import { covers } from "../../data/index.ts";
import { refusal } from "../store-contract/tools.ts";
import { type ConnectorTools, hex, nextFull, pairs, plenty } from "./subject.ts";

export function captureContract({ describe, expect, withSubject }: ConnectorTools): void {
  describe("capturing changes", () => {
    withSubject(
      "the log tells every change after the capture, in order, as it was committed",
      async (given) => {
        await given.write(given.set("before", "capture"));
        const from = await given.store.capture("s");
        await given.write(given.set("a", "1"), given.set("b", "1"));
        await given.write(given.gone("a"));
        await given.write(given.set("b", ""));
        const told = await given.logged("s", from);
        expect(
          told.flatMap(({ changes }) =>
            changes.map(({ collection, key, value }) => [
              collection,
              hex(key),
              value === null ? null : hex(value),
            ]),
          ),
        ).toEqual(
          [given.set("a", "1"), given.set("b", "1"), given.gone("a"), given.set("b", "")].map(
            ({ key, value }) => [given.collection, hex(key), value === null ? null : hex(value)],
          ),
        );
        if (given.subject.changesStandAlone !== true)
          expect(told.map(({ changes }) => changes.length)).toEqual([2, 1, 1]);
        expect(told.map(({ position }) => position).toSorted()).toEqual(told.map(({ position }) => position));
        expect(told.every(({ at }) => at > 0)).toBe(true);
        await given.store.release("s");
      },
    );

    withSubject("following goes on after the position of any transaction", async (given) => {
      const from = await given.store.capture("s");
      for (let i = 0; i < 5; i++) await given.write(given.set(`k${i}`, `v${i}`));
      const all = await given.logged("s", from);
      expect(all.length).toBe(5);
      for (const [index, { position }] of all.entries())
        expect((await given.logged("s", position)).map(({ tx }) => tx)).toEqual(
          all.slice(index + 1).map(({ tx }) => tx),
        );
      await given.store.release("s");
    });

    withSubject("a slot that is captured anew begins after every position given before", async (given) => {
      const from = await given.store.capture("s");
      await given.store.release("s");
      // Nobody keeps this. A move that stood at `from` must be able to tell.
      await given.write(given.set("a", "1"));
      expect((await given.store.capture("s")) > from).toBe(true);
      await given.store.release("s");
    });

    withSubject("capturing again for a slot gives its position and loses nothing", async (given) => {
      const from = await given.store.capture("s");
      await given.write(given.set("a", "1"));
      expect(await given.store.capture("s")).toBe(from);
      expect((await given.logged("s", from)).length).toBe(1);
      await given.store.release("s");
      await given.store.release("s");
    });

    withSubject(
      "every change is seen by a chunk's snapshot or lies after its fence in the log",
      async (given) => {
        const from = await given.store.capture("s");
        let writing = true;
        const count = 40;
        const writer = (async () => {
          for (let i = 0; writing; i = (i + 1) % count)
            await given.write(given.set(`k${i % count}`, `v${i}-${Math.random()}`));
        })();
        const chunks = [];
        for (let i = 0; i < 15; i++) chunks.push(await given.store.snapshotChunk(given.range(), plenty));
        writing = false;
        await writer;
        const told = await given.logged("s", from);
        for (const { rows, fence } of chunks) {
          const state = new Map<string, string>();
          for (const { tx, changes } of told)
            for (const { key, value } of changes)
              if (covers(fence, tx)) {
                if (value === null) state.delete(hex(key));
                else state.set(hex(key), hex(value));
              }
          expect(new Map(pairs(rows))).toEqual(state);
        }
        await given.store.release("s");
      },
    );

    withSubject("a scan shows one moment, however long it takes", async (given) => {
      if (given.subject.scansMove !== undefined) return;
      await given.apply({
        rows: Array.from({ length: 3_000 }, (_, i) => given.row(`k${String(i).padStart(5, "0")}`, "old")),
      });
      let rows = 0;
      let news = 0;
      const fresh = hex(given.row("k02999", "new").value);
      for await (const part of given.store.scan(given.range())) {
        if (rows === 0) await given.write(given.set("k02999", "new"), given.set("k99999", "new"));
        rows += part.length;
        news += part.filter(({ value }) => hex(value) === fresh).length;
      }
      expect([rows, news]).toEqual([3_000, 0]);
    });

    withSubject(
      "a log without the moves' own origin leaves out what they wrote, and nothing else",
      async (given) => {
        const from = await given.store.capture("s");
        await given.write(given.set("a", "application"));
        await given.apply({ rows: [given.row("b", "moved")], changes: [given.set("c", "moved")] });
        await given.write(given.set("b", "application"));
        const keys = async (without: readonly string[]): Promise<readonly string[]> =>
          (await given.logged("s", from, without)).flatMap(({ changes }) =>
            changes.map(({ key }) => hex(key)),
          );
        const [a, b] = ["a", "b"].map((name) => hex(given.row(name, "").key));
        expect(await keys(["move"])).toEqual([a, b]);
        expect((await keys(["another move"])).length).toBe(4);
        expect((await keys([])).length).toBe(4);
        await given.store.release("s");
      },
    );

    withSubject("what is acknowledged need not be kept, what is not stays for each slot", async (given) => {
      const first = await given.store.capture("first");
      await given.write(given.set("a", "1"));
      const second = await given.store.capture("second");
      await given.write(given.set("b", "2"));
      const all = await given.logged("first", first);
      expect(all.length).toBe(2);
      await given.store.acknowledge("first", await given.store.head());
      expect((await given.logged("second", second)).length).toBe(1);
      await given.store.acknowledge("second", second);
      expect((await given.logged("second", second)).length).toBe(1);
      await given.store.release("first");
      expect((await given.logged("second", second)).length).toBe(1);
      await given.store.release("second");
    });

    withSubject("a released slot cannot be followed any more", async (given) => {
      const from = await given.store.capture("s");
      await given.write(given.set("a", "1"));
      await given.store.release("s");
      const stop = new AbortController();
      const follow = async (): Promise<void> => {
        for await (const _ of given.store.log("s", from, { signal: stop.signal })) break;
      };
      expect(await refusal(follow())).toBe("CUTOVER_DATA_SLOT_LOST");
    });

    withSubject(
      "a log that waits wakes for a write, speaks when nothing comes, and ends by its signal",
      async (given) => {
        const from = await given.store.capture("s");
        const stop = new AbortController();
        const log = given.store.log("s", from, { signal: stop.signal })[Symbol.asyncIterator]();
        try {
          const quiet = await log.next();
          expect([quiet.done, quiet.value?.transactions.length]).toEqual([false, 0]);
          const next = nextFull(log);
          await given.write(given.set("a", "1"));
          expect((await next).transactions.length).toBe(1);
          const waiting = log.next();
          stop.abort();
          const end = await waiting;
          expect(end.done === true || end.value.transactions.length === 0).toBe(true);
          if (end.done !== true) expect((await log.next()).done).toBe(true);
        } finally {
          stop.abort();
          await log.return?.();
          await given.store.release("s");
        }
      },
    );

    withSubject("a transaction that was taken back is in no log and no chunk", async (given) => {
      if (given.subject.begin === undefined) return;
      const from = await given.store.capture("s");
      const open = await given.subject.begin([given.set("a", "1")], 0);
      await open.rollback();
      await given.write(given.set("b", "1"));
      const told = (await given.logged("s", from)).flatMap(({ changes }) => changes);
      expect(told.map(({ key }) => hex(key))).toEqual([hex(given.row("b", "").key)]);
      expect((await given.content()).length).toBe(1);
      await given.store.release("s");
    });
  });
}
