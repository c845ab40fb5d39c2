import { refusal } from "../store-contract/tools.ts";
import { type ConnectorTools, pairs } from "./subject.ts";

export function applyContract({ describe, expect, withSubject }: ConnectorTools): void {
  const text = (bytes: Uint8Array | undefined): string | undefined =>
    bytes === undefined ? undefined : Buffer.from(bytes).toString();

  describe("applying what is moved", () => {
    withSubject(
      "changes come first and in order, rows after them, the checkpoint with both",
      async (given) => {
        await given.write(given.set("gone", "old"), given.set("stays", "old"));
        await given.apply({
          changes: [given.set("a", "1"), given.gone("gone"), given.set("a", "2"), given.set("b", "change")],
          rows: [given.row("b", "row"), given.row("c", "row")],
          checkpoint: "one",
        });
        expect(await given.content()).toEqual(
          pairs([
            given.row("a", "2"),
            given.row("b", "row"),
            given.row("c", "row"),
            given.row("stays", "old"),
          ]),
        );
        expect(text(await given.store.checkpoint("job"))).toBe("one");
        await given.apply({ checkpoint: "two" });
        expect(text(await given.store.checkpoint("job"))).toBe("two");
        expect(await given.store.checkpoint("another job")).toBe(undefined);
      },
    );

    withSubject("a key that is removed and written again in one transaction is there", async (given) => {
      await given.apply({ changes: [given.set("a", "1"), given.gone("a"), given.set("a", "2")] });
      await given.apply({ changes: [given.set("b", "1"), given.gone("b")] });
      await given.apply({ changes: [given.gone("never there")] });
      expect(await given.content()).toEqual(pairs([given.row("a", "2")]));
    });

    withSubject("a row that is removed does not come back", async (given) => {
      await given.apply({ rows: [given.row("a", "1"), given.row("b", "1")] });
      await given.apply({ changes: [given.gone("a")] });
      await given.write(given.gone("b"));
      expect(await given.content()).toEqual([]);
      if (given.subject.reopen === undefined) return;
      const again = await given.reopen();
      try {
        expect(await again.content()).toEqual([]);
      } finally {
        await again.close();
      }
    });

    withSubject(
      "a writer whose job was taken over is refused, and nothing of its write is kept",
      async (given) => {
        await given.apply({ rows: [given.row("a", "1")], fence: 3, checkpoint: "three" });
        const late = given.apply({
          rows: [given.row("b", "late")],
          changes: [given.gone("a")],
          fence: 2,
          checkpoint: "late",
        });
        expect(await refusal(late)).toBe("CUTOVER_LEASE_LOST");
        expect(await given.content()).toEqual(pairs([given.row("a", "1")]));
        expect(text(await given.store.checkpoint("job"))).toBe("three");
        await given.apply({ rows: [given.row("b", "other job")], job: "other", fence: 1 });
        await given.apply({ rows: [given.row("a", "2")], fence: 3 });
        expect((await given.content()).length).toBe(2);
      },
    );

    withSubject("an owner claims its job with an empty write, and the checkpoint stays", async (given) => {
      await given.apply({ fence: 1, checkpoint: "saved" });
      const claim = { job: "job", fence: 2, origin: "move", changes: [], rows: [] };
      await given.store.applyTxn(claim);
      expect(text(await given.store.checkpoint("job"))).toBe("saved");
      expect(await refusal(given.apply({ fence: 1, checkpoint: "late" }))).toBe("CUTOVER_LEASE_LOST");
      await given.store.applyTxn({ ...claim, job: "new" });
      expect(await given.store.checkpoint("new")).toBe(undefined);
    });

    withSubject("a write with one bad row is refused whole", async (given) => {
      await given.apply({ rows: [given.row("a", "1")], checkpoint: "before" });
      const bad = given.store.applyTxn({
        job: "job",
        fence: 1,
        origin: "move",
        changes: [given.gone("a")],
        rows: [
          { collection: given.collection, ...given.row("b", "2") },
          { collection: "no such collection", ...given.row("c", "3") },
        ],
        checkpoint: Buffer.from("after"),
      });
      expect((await refusal(bad)).startsWith("CUTOVER_DATA_")).toBe(true);
      expect(await given.content()).toEqual(pairs([given.row("a", "1")]));
      expect(text(await given.store.checkpoint("job"))).toBe("before");
    });

    withSubject("a forgotten job has no checkpoint and no fence", async (given) => {
      await given.apply({ rows: [given.row("a", "1")], fence: 9 });
      await given.store.forget("job");
      await given.store.forget("never there");
      expect(await given.store.checkpoint("job")).toBe(undefined);
      await given.apply({ fence: 1, checkpoint: "again" });
      expect(text(await given.store.checkpoint("job"))).toBe("again");
      expect((await given.content()).length).toBe(1);
    });

    withSubject("checkpoints of many jobs and of some 100 KB are kept apart", async (given) => {
      const large = "x".repeat(300_000);
      await given.apply({ job: "a", checkpoint: large });
      await given.apply({ job: "a/b", checkpoint: "second" });
      await given.apply({ job: "ä \u{1f680}", checkpoint: "third" });
      expect(text(await given.store.checkpoint("a"))).toBe(large);
      expect(text(await given.store.checkpoint("a/b"))).toBe("second");
      expect(text(await given.store.checkpoint("ä \u{1f680}"))).toBe("third");
    });

    withSubject(
      "what a move keeps for itself is no collection of the store's, and no news",
      async (given) => {
        const { store } = given;
        const before = await store.capture("s");
        const own = (key: string, value: string | null) => ({
          collection: "cutover_sidecar",
          key: Buffer.from(key),
          value: value === null ? null : Buffer.from(value),
        });
        await store.applyTxn({
          job: "job",
          fence: 1,
          origin: "move",
          changes: [own("a", "1"), own("", "no key"), own("b", "2"), own("b", null), given.set("k", "v")],
          rows: [],
        });
        expect((await store.collections()).some(({ name }) => name.startsWith("cutover_"))).toBe(false);
        expect(await given.content()).toEqual(pairs([given.row("k", "v")]));
        const found: string[] = [];
        for await (const part of store.scan({ collection: "cutover_sidecar" }))
          found.push(...part.map(({ key, value }) => `${text(key)}=${text(value)}`));
        expect(found).toEqual(["=no key", "a=1"]);
        expect(await store.count({ collection: "cutover_sidecar", after: Buffer.from("") })).toBe(1);
        expect((await store.get("cutover_sidecar", [Buffer.from("a")])).map(text)).toEqual(["1"]);
        const told = await given.logged("s", before);
        expect(told.flatMap(({ changes }) => changes.map(({ collection }) => collection))).toEqual([
          given.collection,
        ]);
        await store.release("s");
      },
    );

    withSubject("everything is there when the store is opened again", async (given) => {
      if (given.subject.reopen === undefined) return;
      const position = await given.store.capture("s");
      await given.write(given.set("a", "1"));
      await given.apply({ rows: [given.row("b", "2")], fence: 4, checkpoint: "kept" });
      const again = await given.reopen();
      try {
        expect(await again.content()).toEqual(pairs([given.row("a", "1"), given.row("b", "2")]));
        expect(text(await again.store.checkpoint("job"))).toBe("kept");
        expect(await refusal(again.apply({ fence: 3 }))).toBe("CUTOVER_LEASE_LOST");
        expect(await again.store.capture("s")).toBe(position);
        const told = await again.logged("s", position);
        expect(told.flatMap(({ changes }) => changes).length).toBe(2);
        await again.write(again.set("c", "3"));
        const more = await again.logged("s", position);
        expect(more.flatMap(({ changes }) => changes).length).toBe(3);
        await again.store.release("s");
      } finally {
        await again.close();
      }
    });
  });
}
