import type { Standing, Switch } from "../data/index.ts";
import { type ContractTools, refusal } from "./store-contract/tools.ts";

/** A switch that nobody has turned yet. */
export interface SwitchSubject {
  readonly kept: Switch;
  /** Another handle on the same switch, as another process has it. Default: there is none. */
  readonly again?: () => Promise<Switch>;
  readonly close?: () => Promise<void>;
}

const deadlineMs = 20_000;

/**
 * Declares the tests every switch must pass: what `Switch` promises those who turn and those who follow it. Each test asks
 * `open` for a switch of its own.
 *
 * @example
 * import { describe, expect, test } from "vitest";
 * import { switchContract } from "cutover/testing";
 *
 * switchContract("my switch", openNewSwitch, { describe, expect, test });
 */
export function switchContract(name: string, open: () => Promise<SwitchSubject>, tools: ContractTools): void {
  const { describe, expect, test } = tools;
  const withSwitch = (title: string, body: (kept: Switch, subject: SwitchSubject) => Promise<void>): void =>
    test(title, async () => {
      const subject = await open();
      try {
        await body(subject.kept, subject);
      } finally {
        await subject.close?.();
      }
    });
  const turned = async (kept: Switch, side: "old" | "new", epoch: number): Promise<string> =>
    refusal(kept.turn({ side, epoch }));
  const done = "nothing thrown";
  const refused = "CUTOVER_DATA_EPOCH";

  describe(`switch contract: ${name}`, () => {
    withSwitch("begins with the old side in charge, at epoch 0", async (kept) => {
      expect(await kept.read()).toEqual({ side: "old", epoch: 0 });
      expect(kept.name.length > 0).toBe(true);
    });

    withSwitch("is turned, also to stay, and each epoch is decided once", async (kept) => {
      expect(await turned(kept, "new", 1)).toBe(done);
      expect(await kept.read()).toEqual({ side: "new", epoch: 1 });
      expect(await turned(kept, "new", 1)).toBe(done);
      expect(await turned(kept, "old", 1)).toBe(refused);
      expect(await turned(kept, "new", 5)).toBe(done);
      expect(await turned(kept, "new", 4)).toBe(refused);
      expect(await turned(kept, "new", 1)).toBe(refused);
      expect(await turned(kept, "old", 6)).toBe(done);
      expect(await kept.read()).toEqual({ side: "old", epoch: 6 });
    });

    withSwitch("the beginning can be turned to itself, and to nothing else", async (kept) => {
      expect(await turned(kept, "old", 0)).toBe(done);
      expect(await turned(kept, "new", 0)).toBe(refused);
      expect(await kept.read()).toEqual({ side: "old", epoch: 0 });
    });

    for (const to of [
      { side: "both", epoch: 1 },
      { side: "new" },
      { side: "new", epoch: 1.5 },
      { side: "new", epoch: -1 },
      { side: "new", epoch: 2 ** 53 },
      undefined,
    ])
      withSwitch(`refuses to turn to ${JSON.stringify(to) ?? "nothing"}`, async (kept) => {
        expect(await refusal(kept.turn(to as Standing))).toBe("CUTOVER_DATA_OPTIONS");
        expect(await kept.read()).toEqual({ side: "old", epoch: 0 });
      });

    withSwitch("of many who decide an epoch at once, all of one side are right", async (kept, { again }) => {
      const other = (await again?.()) ?? kept;
      for (let epoch = 1; epoch <= 10; epoch++) {
        const sides = ["old", "new", "old", "new"] as const;
        const outcomes = await Promise.all(
          sides.map((side, index) => turned(index < 2 ? kept : other, side, epoch)),
        );
        const { side, epoch: now } = await other.read();
        expect(now).toBe(epoch);
        expect(outcomes).toEqual(sides.map((each) => (each === side ? done : refused)));
      }
    });

    withSwitch("who follows it hears the standing now and the last one after", async (kept, { again }) => {
      await kept.turn({ side: "old", epoch: 1 });
      const stop = new AbortController();
      const follower = (await again?.()) ?? kept;
      const heard: Standing[] = [];
      for await (const standing of follower.follow({
        signal: AbortSignal.any([stop.signal, AbortSignal.timeout(deadlineMs)]),
      })) {
        heard.push(standing);
        if (standing.epoch === 1) {
          await kept.turn({ side: "new", epoch: 2 });
          await kept.turn({ side: "old", epoch: 3 });
        }
        if (standing.epoch === 3) stop.abort();
      }
      const epochs = heard.map(({ epoch }) => epoch);
      // One that changed again before it was looked at may be passed over.
      expect(epochs.filter((epoch) => epoch !== 2)).toEqual([1, 3]);
      expect(heard.at(-1)).toEqual({ side: "old", epoch: 3 });
    });

    withSwitch("a follower that was idle hears of a turn", async (kept, { again }) => {
      const follower = (await again?.()) ?? kept;
      const standings = follower.follow({ signal: AbortSignal.timeout(deadlineMs) })[Symbol.asyncIterator]();
      expect((await standings.next()).value).toEqual({ side: "old", epoch: 0 });
      const next = standings.next();
      await kept.turn({ side: "new", epoch: 1 });
      expect((await next).value).toEqual({ side: "new", epoch: 1 });
      await standings.return?.();
    });

    withSwitch("following ends with its signal, and one that has aborted hears nothing", async (kept) => {
      const stop = new AbortController();
      let ended = false;
      const following = (async () => {
        for await (const standing of kept.follow({ signal: stop.signal }))
          if (standing.epoch === 0) stop.abort();
        ended = true;
      })();
      await following;
      expect(ended).toBe(true);
      let heard = 0;
      for await (const standing of kept.follow({ signal: AbortSignal.abort() })) heard += standing.epoch + 1;
      expect(heard).toBe(0);
    });

    withSwitch("what was decided is there for who comes later", async (kept, { again }) => {
      if (again === undefined) return;
      await kept.turn({ side: "new", epoch: 3 });
      const later = await again();
      expect(await later.read()).toEqual({ side: "new", epoch: 3 });
      expect(await turned(later, "old", 3)).toBe(refused);
    });
  });
}
