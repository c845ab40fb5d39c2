import { describe, expect, test } from "vitest";
import { CutoverError, type Interval, type Stage } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { memoryLink } from "./memory-link.ts";
import type { RouteOptions } from "./options.ts";
import { createRollout } from "./rollout.ts";

interface Call {
  readonly id: string;
  readonly op: string;
  readonly region?: string;
}

function open(more: Partial<RouteOptions<(call: Call) => Promise<string>>>, stage: Stage, share = 0) {
  const link = memoryLink();
  const seen = { old: [] as string[], new: [] as string[] };
  const errors: CutoverError[] = [];
  const rollout = createRollout({
    clock: new ManualClock(),
    link,
    state: [{ route: "r", stage, share }],
    onError: (error) => errors.push(error),
  });
  const fn = rollout.route("r", {
    old: async (call: Call) => {
      seen.old.push(call.op);
      return call.op;
    },
    new: async (call: Call) => {
      seen.new.push(call.op);
      return call.op === "list" ? "other" : call.op;
    },
    key: (call) => call.id,
    operation: (call) => call.op,
    effects: "none",
    ...more,
  });
  const call = async (op: string, region?: string): Promise<string> => {
    const answer = await fn({ id: "a", op, ...(region === undefined ? {} : { region }) });
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    return answer;
  };
  const interval = (): Interval => {
    rollout.flush();
    const found = link.intervals.at(-1);
    if (found === undefined) throw new Error("nothing was reported");
    return found;
  };
  return { call, seen, interval, link, errors, fn };
}

const operations = {
  get: {},
  list: {},
  charge: { never: "non-idempotent" },
  profile: { never: "personal" },
} as const;

describe("operations that must reach one side only", () => {
  test("are not shadowed, are counted as refused, and are declared with their reason", async () => {
    const { call, seen, interval, link } = open({ operations }, "shadow");
    for (const op of ["get", "charge", "profile", "charge"]) expect(await call(op)).toBe(op);
    expect(seen).toEqual({ old: ["get", "charge", "profile", "charge"], new: ["get"] });
    expect(interval()).toMatchObject({
      old: { calls: 4 },
      compared: 1,
      operations: { get: 1 },
      refused: { charge: 2, profile: 1 },
    });
    expect(link.declarations[0]).toMatchObject({
      operations: ["get", "list"],
      never: { charge: "non-idempotent", profile: "personal" },
    });
    expect(link.declarations[0]?.stages).toContain("shadow");
  });

  test.each(["dualwrite", "rampdown"] as const)("are not written to the other side at %s", async (stage) => {
    const { call, seen, interval } = open({ operations }, stage);
    await call("charge");
    await call("profile");
    const first = stage === "dualwrite" ? "old" : "new";
    expect(seen).toEqual({ old: [], new: [], [first]: ["charge", "profile"] });
    expect(interval()).toMatchObject({ refused: { charge: 1, profile: 1 }, shadow: { calls: 0 } });
  });

  test("a call whose operation cannot be told is not repeated either", async () => {
    for (const operation of [
      (): string => {
        throw new Error("which?");
      },
      () => "",
      () => 7 as unknown as string,
    ]) {
      const { call, seen, interval } = open({ operations, operation }, "shadow");
      expect(await call("charge")).toBe("charge");
      expect(seen.new).toEqual([]);
      expect(interval().refused).toEqual({ "(unknown)": 1 });
    }
  });

  test("a call that must not be repeated does not fail over, unless nothing was sent", async () => {
    const broken = async (call: Call): Promise<string> => {
      throw new Error(`${call.op} failed`);
    };
    const bare = { operations, new: broken, idempotent: true };
    const { call, seen } = open(bare, "live", 100);
    await expect(call("charge")).rejects.toThrow("charge failed");
    expect(seen.old).toEqual([]);
    expect(await call("get")).toBe("get");
    const unsent = open({ ...bare, unsent: () => true }, "live", 100);
    expect(await unsent.call("charge")).toBe("charge");
  });

  test("a route that has no other operations refuses stage shadow", () => {
    const { link, fn, errors } = open({ operations: { charge: { never: "non-idempotent" } } }, "shadow");
    expect(link.declarations[0]?.stages).toEqual(["off", "dualwrite", "live", "rampdown", "complete"]);
    expect(fn.state().stage).toBe("off");
    expect(errors[0]).toMatchObject({ code: "CUTOVER_ROUTE_INVALID" });
  });

  test.each([
    [{ operations: { charge: { never: "sometimes" } } }, "operations.charge.never"],
    [{ operations: { charge: { nevr: "personal" } } }, "operations.charge.nevr"],
    [{ operations: { charge: true } }, "operations.charge"],
    [{ operations: 7 }, "operations"],
    [{ operations: { "": {} } }, "operations"],
    [{ operations, operation: undefined }, "operation"],
    [{ cohorts: ["eu"] }, "cohort"],
    [{ cohort: () => "eu", cohorts: [""] }, "cohorts"],
    [{ cohort: "eu" }, "cohort"],
  ])("%j is refused at %s", (more, place) => {
    const opening = (): unknown => open(more as object, "off");
    expect(opening).toThrow(CutoverError);
    expect(opening).toThrow(
      expect.objectContaining({ code: "CUTOVER_ROUTE_INVALID", place: `route("r").${place}` }) as Error,
    );
  });

  test("an unknown option is refused with the one that was meant", () => {
    expect(() => open({ ignroe: ["at"] } as object, "off")).toThrow(
      expect.objectContaining({ remedy: 'did you mean "ignore"?' }) as Error,
    );
  });
});

describe("coverage", () => {
  test("counts compared answers and differences by operation and cohort, undeclared names too", async () => {
    const { call, interval, link } = open(
      { operations: ["get", "list", "find"], cohort: ({ region = "" }) => region, cohorts: ["eu", "us"] },
      "shadow",
    );
    await call("get", "eu");
    await call("list", "eu");
    await call("list", "asia");
    await call("extra");
    expect(interval()).toMatchObject({
      compared: 4,
      mismatches: 2,
      operations: { get: 1, list: 2, extra: 1 },
      cohorts: { eu: 2, asia: 1 },
      differing: { operations: { list: 2 }, cohorts: { eu: 1, asia: 1 } },
    });
    expect(link.declarations[0]).toMatchObject({
      operations: ["get", "list", "find"],
      cohorts: ["eu", "us"],
    });
    expect(interval()).not.toHaveProperty("differing.operations.get");
  });

  test("a cohort function that throws is told, and its answer counts as not compared", async () => {
    const { call, interval, errors } = open(
      {
        cohort: () => {
          throw new Error("who?");
        },
      },
      "shadow",
    );
    expect(await call("get")).toBe("get");
    expect(interval()).toMatchObject({ compared: 0 });
    expect(errors[0]).toMatchObject({ code: "CUTOVER_ROUTE_FAULT" });
  });

  test("names made from ids do not fill the memory: beyond 200 they are counted together", async () => {
    let n = 0;
    const { call, interval } = open({ cohort: () => `user ${n++}` }, "shadow");
    for (let i = 0; i < 250; i++) await call("get");
    const { cohorts = {} } = interval();
    expect(Object.keys(cohorts).length).toBe(201);
    expect(cohorts["(other)"]).toBe(50);
  });
});

describe("options of createRollout", () => {
  test.each([
    [{ onEror: () => {} }, "createRollout.onEror", 'did you mean "onError"?'],
    [{ flsh: 10 }, "createRollout.flsh", 'did you mean "flush"?'],
    [{ name: "" }, "createRollout.name", undefined],
    [{ state: {} }, "createRollout.state", undefined],
    [{ onError: "log" }, "createRollout.onError", undefined],
    [{ link: "tcp" }, "createRollout.link", undefined],
    [[], "createRollout.options", undefined],
    [null, "createRollout.options", undefined],
  ])("%j is refused", (options, place, remedy) => {
    expect(() => createRollout(options as object)).toThrow(
      expect.objectContaining({
        code: "CUTOVER_ROLLOUT_INVALID",
        place,
        ...(remedy === undefined ? {} : { remedy }),
      }) as Error,
    );
  });
});
