import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createRollout, memoryLink, type RouteOptions } from "../index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { letGo, ownComparison, ownNormalizer, ownPredicate } from "./own-functions.ts";
import { ErrorReporter } from "./report-error.ts";

type Answer = (id: string) => unknown;

/** One call of a route whose functions are plain JavaScript, which nothing has checked. */
async function oneCall(stage: "off" | "shadow" | "live", options: object, old: Answer = () => 1) {
  const link = memoryLink();
  const told: string[] = [];
  const rollout = createRollout({
    link,
    state: [{ route: "orders", stage, share: 50 }],
    onError: (error) => told.push(`${error.place} ${error.message}`),
  });
  const given = { old, new: () => 2, key: (id: string) => id, effects: "none", ...options };
  const call = rollout.route("orders", given as unknown as RouteOptions<Answer>);
  const answer = await Promise.resolve(call("a")).catch((error: unknown) => error);
  for (let i = 0; i < 5; i++) await turn();
  await rollout.close();
  const total = (read: (interval: (typeof link.intervals)[number]) => number): number =>
    link.intervals.reduce((sum, interval) => sum + read(interval), 0);
  return {
    answer,
    told,
    compared: total((interval) => interval.compared),
    skipped: total((interval) => interval.shadow.skipped),
    errors: total((interval) => interval.old.errors),
  };
}

const rejects = async (): Promise<never> => {
  throw new Error("nobody catches this");
};

describe("a route's own function that answers with a promise", () => {
  test.each([
    ["normalize", rejects],
    ["normalize", async (answer: unknown) => answer],
    ["compare", rejects],
    ["compare", async () => false],
    ["compare", async () => true],
    ["compare", () => new Promise(() => {})],
  ])("proves nothing as %s, and its rejection ends no process", async (name, own) => {
    const { answer, told, compared, skipped } = await oneCall("shadow", { [name]: own });
    expect({ answer, compared, skipped }).toEqual({ answer: 1, compared: 0, skipped: 1 });
    expect(told).toEqual([
      expect.stringMatching(new RegExp(`expected ${name} to answer with .*found a promise`)),
    ]);
  });

  test("excuses no failure as expected", async () => {
    for (const expected of [rejects, async () => true]) {
      const { told, errors } = await oneCall("off", { expected }, async () => {
        throw new Error("the old side failed");
      });
      expect(errors).toBe(1);
      expect(told).toEqual([expect.stringContaining("found a promise")]);
    }
  });

  test("names no operation and no cohort, and is told", async () => {
    for (const name of ["operation", "cohort"]) {
      const { told, compared } = await oneCall("shadow", { [name]: rejects });
      expect(compared).toBe(1);
      expect(told).toEqual([expect.stringMatching(new RegExp(`${name} .*expected a text, found a promise`))]);
    }
  });

  test("is no key: the old side answers", async () => {
    const { answer, told } = await oneCall("live", { key: rejects });
    expect(answer).toBe(1);
    expect(told).toEqual([expect.stringContaining("key of route")]);
    expect((await oneCall("shadow", { key: rejects })).answer).toBe(1);
  });

  test("hears of trouble as onError without making more of it", async () => {
    const rollout = createRollout({ link: null, onError: rejects as unknown as () => void });
    const call = rollout.route("orders", { old: () => 1, new: () => 2, key: () => "", effects: "none" });
    expect(call()).toBe(1);
    new ErrorReporter(rejects as unknown as () => void, new ManualClock()).fault("orders", "key", "bad");
    await turn();
    await rollout.close();
  });
});

describe("what a route's own comparison says", () => {
  const any = (found: unknown) => ownComparison(() => found)(1, 2);

  test("is taken when it is true, false or a list of differences", () => {
    const found = [{ path: "total", old: 1, new: 2 }];
    expect([any(true), any(false), any([]), any(found)]).toEqual([true, false, [], found]);
  });

  test.each([undefined, null, 0, "no", {}, [null], [{ old: 1, new: 2 }], [3]])(
    "is refused when it is %j, and the call is not counted as compared",
    async (found) => {
      expect(() => any(found)).toThrow(expect.objectContaining({ code: "CUTOVER_ROUTE_FAULT" }));
      expect(await oneCall("shadow", { compare: () => found })).toMatchObject({ compared: 0, skipped: 1 });
    },
  );

  test("a normalised answer may be anything that is there at once", () => {
    const normal = ownNormalizer((answer) => answer);
    expect([normal(undefined), normal({ then: 5 })]).toEqual([undefined, { then: 5 }]);
  });
});

describe("yes or no about an error", () => {
  const reporter = () => {
    const told: string[] = [];
    return { told, errors: new ErrorReporter((error) => told.push(error.message), new ManualClock()) };
  };

  test("is yes for true alone, and what only looks true is told", () => {
    for (const [answer, yes, tells] of [
      [true, true, 0],
      [false, false, 0],
      [undefined, false, 0],
      ["yes", false, 1],
      [["match"], false, 1],
    ] as const) {
      const { told, errors } = reporter();
      const ask = ownPredicate("unsent", (() => answer) as unknown as () => boolean, {
        route: "orders",
        errors,
      });
      expect([ask(new Error("x")), told.length]).toEqual([yes, tells]);
    }
  });

  test("a write of which a promise is to say whether it is unsure, is", () => {
    const { errors } = reporter();
    const ask = ownPredicate("unsure", rejects as unknown as () => boolean, { route: "orders", errors });
    expect(ask(new Error("x"))).toBe(true);
  });
});

test("what does not let itself be asked is no promise", () => {
  const hostile = {
    get then(): never {
      throw new Error("do not ask");
    },
  };
  expect([letGo(hostile), letGo(null), letGo({ then: 1 }), letGo(Promise.resolve())]).toEqual([
    false,
    false,
    false,
    true,
  ]);
});
