import { describe, expect, test } from "vitest";
import type { CutoverError, Interval, RouteState, Stage } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { captured } from "./captured.ts";
import { memoryLink } from "./memory-link.ts";
import type { RouteOptions } from "./options.ts";
import { createRollout } from "./rollout.ts";

interface Order {
  readonly id: string;
  readonly total: number;
}
interface Row {
  readonly order: string;
  readonly total: number;
  readonly at?: number;
}
interface Effects {
  insert(row: Row): Promise<{ id: number }>;
  send(mail: { readonly to: string; readonly about: number }): void;
}
type Submit = (order: Order) => Promise<string>;

const turns = async (): Promise<void> => {
  for (let i = 0; i < 8; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** Inserts the order, then mails its number. */
const submitThrough =
  (effects: Effects, change: (row: Row) => Row = (row) => row): Submit =>
  async ({ id, total }) => {
    const row = await effects.insert(change({ order: id, total }));
    effects.send({ to: "ana", about: row.id });
    return `order ${row.id}`;
  };

function open(
  newSide: (effects: Effects) => Submit = submitThrough,
  more: Partial<RouteOptions<Submit>> = {},
  answers: Partial<Effects> = {},
) {
  const made: string[] = [];
  const port: Effects = {
    insert: async (row) => {
      made.push(`insert ${row.order}`);
      return { id: made.length };
    },
    send: ({ about }) => {
      made.push(`send ${about}`);
    },
  };
  const effects = captured(Object.freeze(port), { answers });
  const link = memoryLink();
  const errors: CutoverError[] = [];
  const rollout = createRollout({ clock: new ManualClock(), link, onError: (error) => errors.push(error) });
  const submit = rollout.route("r", {
    old: submitThrough(effects.old),
    new: newSide(effects.new),
    key: (order) => order.id,
    captures: effects,
    ...more,
  });
  let epoch = 0;
  const set = (stage: Stage, share = 0): void => {
    const state: RouteState = { route: "r", stage, share, epoch: ++epoch, salt: "s" };
    link.push(state);
  };
  const interval = (): Interval | undefined => {
    rollout.flush();
    return link.intervals.at(-1);
  };
  const differences = (): object => {
    rollout.flush();
    return Object.fromEntries(
      link.samples.flatMap((sample) => sample.differences.map((each) => [each.path, [each.old, each.new]])),
    );
  };
  return { submit, made, effects, link, set, interval, differences, errors };
}
const order = { id: "a", total: 7 };

describe("effects of a shadowed write", () => {
  test("are made once, by the old side; the new side gets the old side's answers and agrees", async () => {
    const { submit, made, set, interval } = open();
    set("shadow");
    expect(await submit(order)).toBe("order 1");
    await turns();
    expect(made).toEqual(["insert a", "send 1"]);
    expect(interval()).toMatchObject({ compared: 1, mismatches: 0, shadow: { calls: 1, errors: 0 } });
  });

  test("are compared field by field: another value, one too many, one that is missing", async () => {
    const other = open((effects) => submitThrough(effects, (row) => ({ ...row, total: row.total + 1 })));
    other.set("shadow");
    await other.submit(order);
    await turns();
    expect(other.differences()).toEqual({ "effects.insert.0.0.total": ["7", "8"] });

    const twice = open(
      (effects) => async (given) => {
        effects.send({ to: "bob", about: 0 });
        return submitThrough(effects)(given);
      },
      {},
      { send: () => {} },
    );
    twice.set("shadow");
    await twice.submit(order);
    await turns();
    expect(twice.differences()).toMatchObject({ "effects.send.length": ["1", "2"] });
    expect(twice.made).toEqual(["insert a", "send 1"]);

    const none = open(() => async () => "order 1");
    none.set("shadow");
    await none.submit(order);
    await turns();
    expect(Object.keys(none.differences())).toEqual(["effects.insert", "effects.send"]);
  });

  test("fields of effects are ignored by name or path, and options about answers go on meaning the answers", async () => {
    let n = 0;
    const stamped = (effects: Effects): Submit => submitThrough(effects, (row) => ({ ...row, at: n++ }));
    for (const ignore of [["at"], ["effects.insert.*.*.at"]]) {
      const { submit, set, interval } = open(stamped, { ignore });
      set("shadow");
      await submit(order);
      await turns();
      expect(interval(), ignore[0]).toMatchObject({ compared: 1, mismatches: 0 });
    }
    const loud =
      (effects: Effects): Submit =>
      async (given) =>
        (await submitThrough(effects)(given)).toUpperCase();
    const normal = open(loud, { normalize: (answer) => answer.toLowerCase() });
    normal.set("shadow");
    await normal.submit(order);
    await turns();
    expect(normal.interval()).toMatchObject({ compared: 1, mismatches: 0 });
    const compared = open(loud, {
      compare: (old, other) => String(old).toLowerCase() === String(other).toLowerCase(),
    });
    compared.set("shadow");
    await compared.submit(order);
    await turns();
    expect(compared.interval()).toMatchObject({ compared: 1, mismatches: 0 });
    const wrong = open(loud, { compare: () => false });
    wrong.set("shadow");
    await wrong.submit(order);
    await turns();
    expect(wrong.differences()).toEqual({ answer: ['"order 1"', '"ORDER 1"'] });
  });

  test("an effect that the old side did not make is answered as declared, or refused to the new side", async () => {
    const extra =
      (effects: Effects): Submit =>
      async (given) => {
        const first = await submitThrough(effects)(given);
        const second = await effects.insert({ order: "extra", total: 0 });
        return second.id === 99 ? first : "wrong";
      };
    const declared = open(extra, {}, { insert: async () => ({ id: 99 }) });
    declared.set("shadow");
    await declared.submit(order);
    await turns();
    expect(declared.differences()).toMatchObject({ "effects.insert.length": ["1", "2"] });
    expect(declared.made).toEqual(["insert a", "send 1"]);
    const refused = open(extra);
    refused.set("shadow");
    await refused.submit(order);
    await turns();
    expect(refused.interval()).toMatchObject({ shadow: { errors: 1 }, mismatches: 1 });
    expect(JSON.stringify(refused.differences())).toContain("CUTOVER_EFFECT_UNANSWERED");
  });

  test("an effect that failed on the old side fails alike on the new side", async () => {
    const port = {
      insert: async (row: Row): Promise<{ id: number }> => {
        throw Object.assign(new Error(`${row.order} is there`), { code: "DUPLICATE" });
      },
      send: () => {},
    };
    const effects = captured(port);
    const link = memoryLink();
    const state = [{ route: "r", stage: "shadow" }] as const;
    const rollout = createRollout({ clock: new ManualClock(), link, state });
    const submit = rollout.route("r", {
      old: submitThrough(effects.old),
      new: submitThrough(effects.new),
      key: ({ id }) => id,
      captures: effects,
    });
    await expect(submit(order)).rejects.toThrow("a is there");
    await turns();
    rollout.flush();
    expect(link.intervals.at(-1)).toMatchObject({ compared: 1, mismatches: 0 });
  });

  test("what the new side does with an answer does not reach the old side's caller", async () => {
    const { submit, set, interval } = open((effects) => async ({ id, total }) => {
      const row = await effects.insert({ order: id, total });
      const about = row.id;
      row.id = 666;
      effects.send({ to: "ana", about });
      return `order ${about}`;
    });
    set("shadow");
    expect(await submit(order)).toBe("order 1");
    await turns();
    expect(interval()).toMatchObject({ compared: 1, mismatches: 0 });
  });

  test("a new side that works on long after its answer, or after its deadline, still makes nothing", async () => {
    const clock = new ManualClock();
    const held: (() => void)[] = [];
    const { submit, made, set } = open((effects) => async (given) => {
      void (async () => {
        await new Promise<void>((resolve) => held.push(resolve));
        effects.send({ to: "late", about: 0 });
      })().catch(() => {});
      return submitThrough(effects)(given);
    });
    set("shadow");
    await submit(order);
    await turns();
    await clock.advance(60_000);
    set("complete");
    for (const go of held) go();
    await turns();
    expect(made).toEqual(["insert a", "send 1"]);
  });

  test("too many effects to compare are not counted as compared, and are made once all the same", async () => {
    const many =
      (effects: Effects): Submit =>
      async (given) => {
        for (let i = 0; i < 1_200; i++) effects.send({ to: "x", about: i });
        return given.id;
      };
    const made: number[] = [];
    const effects = captured<Effects>({
      insert: async () => ({ id: 1 }),
      send: ({ about }) => void made.push(about),
    });
    const link = memoryLink();
    const state = [{ route: "r", stage: "shadow" }] as const;
    const rollout = createRollout({ clock: new ManualClock(), link, state });
    const submit = rollout.route("r", {
      old: many(effects.old),
      new: many(effects.new),
      key: ({ id }) => id,
      captures: effects,
    });
    await submit(order);
    await turns();
    rollout.flush();
    expect(made.length).toBe(1_200);
    expect(link.intervals.at(-1)).toMatchObject({ compared: 0, shadow: { skipped: 1 } });
  });

  test("of calls at once each new side gets the answers of its own old side", async () => {
    const { submit, set, interval, made } = open();
    set("shadow");
    const answers = await Promise.all(["a", "b", "c", "d"].map((id) => submit({ id, total: 1 })));
    await turns();
    expect(new Set(answers).size).toBe(4);
    expect(made.length).toBe(8);
    expect(interval()).toMatchObject({ compared: 4, mismatches: 0 });
  });

  test("a route called inside a captured call is captured with it, whatever its own stage", async () => {
    const made: string[] = [];
    const effects = captured({ send: (to: string) => void made.push(to) });
    const link = memoryLink();
    const state = (["live", "shadow", "off"] as const).map((stage) => ({ route: stage, stage, share: 100 }));
    const outer = { route: "outer", stage: "shadow" } as const;
    const rollout = createRollout({ clock: new ManualClock(), link, state: [...state, outer] });
    const inner = state.map(({ route }) =>
      rollout.route(route, {
        old: (to: string) => effects.old.send(to),
        new: (to: string) => effects.new.send(to),
        key: (to) => to,
        captures: effects,
      }),
    );
    const call = rollout.route("outer", {
      old: (to: string) => inner.forEach((route) => route(to)),
      new: (to: string) => inner.forEach((route) => route(to)),
      key: (to) => to,
      captures: effects,
    });
    call("x");
    await turns();
    rollout.flush();
    expect(made).toEqual(["x", "x", "x"]);
    expect(link.intervals.find(({ route }) => route === "outer")).toMatchObject({
      compared: 1,
      mismatches: 0,
    });
  });
});

describe("effects elsewhere", () => {
  test.each([
    ["off", 0],
    ["live", 0],
    ["live", 100],
    ["complete", 0],
  ] as const)("at %s with a share of %d every effect is made once", async (stage, share) => {
    const { submit, made, set } = open();
    set(stage, share);
    expect(await submit(order)).toBe("order 1");
    await turns();
    expect(made).toEqual(["insert a", "send 1"]);
  });

  test("the new side's hand does not act outside of a routed call, the old side's does", async () => {
    const { effects, made } = open();
    expect(() => effects.new.send({ to: "a", about: 1 })).toThrow(
      expect.objectContaining({ code: "CUTOVER_EFFECT_ASTRAY" }) as Error,
    );
    expect(made).toEqual([]);
    effects.old.send({ to: "a", about: 1 });
    expect(made).toEqual(["send 1"]);
  });

  test("a new side whose work is done by a queue of its own does not act: nobody knows for which call it would", async () => {
    const jobs: (() => void)[] = [];
    // Begun before any call, so outside of all of them.
    const worker = setInterval(() => jobs.splice(0).forEach((job) => job()), 1);
    try {
      const { submit, made, set } = open((effects) => async ({ id }) => {
        const sent = new Promise<void>((resolve, reject) =>
          jobs.push(() => {
            try {
              effects.send({ to: id, about: 1 });
              resolve();
            } catch (error) {
              reject(error as Error);
            }
          }),
        );
        await sent;
        return "order 1";
      });
      set("shadow");
      expect(await submit(order)).toBe("order 1");
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(made).toEqual(["insert a", "send 1"]);
      set("complete");
      await expect(submit(order)).rejects.toMatchObject({ code: "CUTOVER_EFFECT_ASTRAY" });
      expect(made).toEqual(["insert a", "send 1"]);
    } finally {
      clearInterval(worker);
    }
  });

  test("a streamed answer makes its effects once: those of the new side are refused", async () => {
    const made: number[] = [];
    const effects = captured({ log: (n: number) => void made.push(n) });
    const link = memoryLink();
    const state = [{ route: "r", stage: "shadow" }] as const;
    const rollout = createRollout({ clock: new ManualClock(), link, state });
    const counting = (log: (n: number) => void) =>
      async function* (_id: string): AsyncGenerator<number> {
        for (let n = 0; n < 3; n++) {
          log(n);
          yield n;
        }
      };
    const count = rollout.route("r", {
      old: counting(effects.old.log),
      new: counting(effects.new.log),
      key: (id) => id,
      captures: effects,
    });
    const seen: number[] = [];
    for await (const n of count("a")) seen.push(n);
    await turns();
    await rollout.close();
    expect([seen, made]).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
  });

  test("a call that is not shadowed (refused, or not in the sample) acts as always", async () => {
    const { submit, made, set, interval } = open(submitThrough, { sample: 0 });
    set("shadow");
    await submit(order);
    await turns();
    expect(made).toEqual(["insert a", "send 1"]);
    expect(interval()).toMatchObject({ compared: 0 });
  });

  test("a query object that begins when it is awaited begins once", async () => {
    let begun = 0;
    const lazy = (): PromiseLike<number> => ({
      // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
      then: (fulfilled) => {
        begun++;
        return Promise.resolve(5).then(fulfilled);
      },
    });
    const effects = captured({ query: lazy }, { answers: { query: async () => 5 } });
    const link = memoryLink();
    const state = [{ route: "r", stage: "shadow" }] as const;
    const rollout = createRollout({ clock: new ManualClock(), link, state });
    const call = rollout.route("r", {
      old: async (_id: string) => await effects.old.query(),
      new: async (_id: string) => await effects.new.query(),
      key: (id) => id,
      captures: effects,
    });
    expect(await call("a")).toBe(5);
    await turns();
    rollout.flush();
    expect(begun).toBe(1);
    expect(link.intervals.at(-1)).toMatchObject({ compared: 1, mismatches: 0 });
  });

  test("the route declares no stage at which both sides would act through the port", () => {
    expect(open().link.declarations[0]?.stages).toEqual(["off", "shadow", "live", "complete"]);
  });
});

describe("a port", () => {
  test("keeps its other members, its class and its own this; setting one is refused", () => {
    class Mailer {
      readonly from = "us";
      sent = 0;
      send(): number {
        return this.#count();
      }
      #count(): number {
        return ++this.sent;
      }
    }
    const mailer = new Mailer();
    const { old } = captured(mailer);
    expect(old.from).toBe("us");
    expect(old).toBeInstanceOf(Mailer);
    expect([old.send(), old.send(), mailer.sent]).toEqual([1, 2, 2]);
    expect(() => {
      old.sent = 7;
    }).toThrow(TypeError);
    expect({ ...captured({ a: () => 1 }).old }.a()).toBe(1);
  });

  test.each([
    [null, {}, "captured.port"],
    [{ send: () => {} }, { answer: {} }, "captured.answer"],
    [{ send: () => {} }, { answers: { sned: () => {} } }, "captured.answers.sned"],
    [{ send: () => {} }, { answers: { send: 7 } }, "captured.answers.send"],
    [{ send: () => {} }, { answers: 7 }, "captured.answers"],
  ])("%j with %j is refused", (port, options, place) => {
    expect(() => captured(port as unknown as object, options as object)).toThrow(
      expect.objectContaining({ code: "CUTOVER_ROUTE_INVALID", place }) as Error,
    );
  });

  test("a route refuses what is no captured port, and effects none beside one", () => {
    for (const more of [{ captures: { old: {}, new: {} } }, { effects: "none" as const }])
      expect(() => open(submitThrough, more)).toThrow(
        expect.objectContaining({ code: "CUTOVER_ROUTE_INVALID" }) as Error,
      );
  });
});
