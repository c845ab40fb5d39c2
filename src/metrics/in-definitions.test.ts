import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test, vi } from "vitest";
import {
  compile,
  defineMigration,
  dryRun,
  failuresInARow,
  growth,
  type Migration,
  mean,
  p95,
  p99,
  phase,
  type Step,
  throughput,
  type Trigger,
  value,
  when,
} from "../plan/index.ts";
import { openRig } from "../testing/engine-rig.ts";
import { commandValue, eventLoop, jsonValue, perSecond, processTree, prometheus, sides } from "./index.ts";
import "../engine/measured-judge.ts";

const url = "http://127.0.0.1:9";

/** Waits until it is told to stop. */
const wait: Step = {
  name: "wait",
  input: null,
  kind: {
    kind: "wait",
    reversible: true,
    plan: () => ({ summary: "wait" }),
    start: ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("told to stop")))),
    rollback: async () => {},
  },
};

const armed = (...triggers: readonly Trigger[]): Migration =>
  defineMigration({ name: "guarded", phases: [phase("move", { steps: [wait] })], triggers });

describe("triggers that plans ask for, in one line each", () => {
  test("validation, errors, latency, throughput and health of a service elsewhere", () => {
    const migration = armed(
      when(value("validation", jsonValue({ url, path: "validation.score" })).below(0.7)).then("rollback"),
      when(
        value("error rate", prometheus({ url, query: "sum(rate(errors[1m])) / sum(rate(calls[1m]))" })).above(
          0.05,
        ),
      ).then("rollback"),
      when(p95().worseThan("old", { by: 2 })).then("rollback"),
      when(throughput().below(0.5)).then("rollback"),
      when(failuresInARow("health", ({ signal }) => fetch(url, { signal })).above(3)).then("rollback"),
    );
    expect(migration.triggers).toHaveLength(5);
  });

  test("errors, latency, growth of a queue and memory", () => {
    const migration = armed(
      when(value("errors", prometheus({ url, query: "job:errors:ratio1m" })).above(0.01)).then("pause"),
      when(p99().worseThan("old", { by: 2 })).then("alert"),
      when(
        growth("queue", commandValue({ run: ["redis-cli", "llen", "orders"] })).above(10, { per: "1m" }),
      ).then("alert"),
      when(value("memory of the server", processTree(1).memory()).above(0.9 * 8e9)).then("throttle"),
      when(value("event loop", eventLoop()).above(200)).then("hold"),
      when(value("restarts", perSecond(jsonValue({ url }))).above(1)).then("pause"),
      when(
        mean("wait", sides({ old: jsonValue({ url }), new: jsonValue({ url }) })).worseThan("old", {
          by: 0.1,
          better: "lower",
        }),
      ).then("pause"),
    );
    expect(migration.triggers).toHaveLength(7);
  });
});

test("defining and planning asks no source anything", async () => {
  const asked = vi.fn();
  await using server = await listen(asked, () => "1");
  const migration = armed(
    when(value("a", prometheus({ url: server.url, query: "up" })).above(1)).then("pause"),
    when(value("b", jsonValue({ url: server.url })).above(1)).then("pause"),
    when(value("c", commandValue({ run: ["curl", server.url] })).above(1)).then("pause"),
  );
  const plan = await dryRun(migration);
  expect(plan.problems).toEqual([]);
  expect(asked).not.toHaveBeenCalled();
});

test("another query is another definition; another secret is not", () => {
  const hash = (query: string, headers = {}): string =>
    compile(armed(when(value("a", prometheus({ url, query, headers })).above(1)).then("pause"))).hash;
  expect(hash("up")).toBe(hash("up"));
  expect(hash("up")).not.toBe(hash("down"));
  expect(hash("up", { "x-key": "one" })).toBe(hash("up", { "x-key": "two" }));
});

describe("what is wrong with a source is told with the gate it stands in, and nothing throws where it is written", () => {
  test.each([
    ["an unknown option", () => jsonValue({ url, pth: "a" } as never), /knows no `pth`.*path/],
    [
      "an address of another sort",
      () => prometheus({ url: "ftp://x", query: "up" }),
      /`url`.*http.*found "ftp:\/\/x"/,
    ],
    ["a password in an address", () => jsonValue({ url: "http://me:secret@host/" }), /without a password/],
    ["no query", () => prometheus({ url, query: " " }), /`query` to be a text/],
    [
      "an unknown reduction",
      () => prometheus({ url, query: "up", reduce: "avg" as never }),
      /sum, mean, min or max, found "avg"/,
    ],
    ["a timeout that is none", () => jsonValue({ url, timeout: "soon" }), /`timeout` to be a duration/],
    ["a path that is none", () => jsonValue({ url, path: "a..b" }), /`path` to be like/],
    ["no command", () => commandValue({ run: [] as never }), /`run` to be a list of words/],
    ["no process", () => processTree(-1).cpu(), /a process's number/],
    ["a quantile above 1", () => eventLoop({ quantile: 99 }), /`quantile` between 0 and 1/],
    ["no options at all", () => prometheus(undefined as never), /expected options, found nothing/],
    ["a rate of no source", () => perSecond((() => 1) as never), /expected a source/],
    [
      "a header's value of another sort",
      () => jsonValue({ url, headers: { a: 1 as never } }),
      /headers\["a"\]/,
    ],
  ])("%s", (_, source, message) => {
    const made = source();
    const refused = (): Migration => armed(when(value("figure", made).above(1)).then("pause"));
    expect(refused).toThrow(
      expect.objectContaining({ code: "CUTOVER_GATE_INPUT", message: expect.stringMatching(message) }),
    );
    expect(refused).toThrow(expect.objectContaining({ place: expect.stringContaining("triggers[0]") }));
  });

  test("also inside a mean and a growth, and by a reading of its own", async () => {
    const bad = jsonValue({ url: "nowhere" });
    const inMean = mean("wait", sides({ old: bad, new: {} as never })).worseThan("old", { by: 0.1 });
    expect(() => armed(when(inMean).then("pause"))).toThrow(/old: expected `url`|new.count/);
    expect(() => armed(when(growth("q", bad).above(1)).then("pause"))).toThrow(/`url`/);
    await expect(bad()).rejects.toMatchObject({ code: "CUTOVER_GATE_INPUT" });
  });

  test("no secret stands in the message about an address", () => {
    expect(() =>
      armed(when(value("x", jsonValue({ url: "http://me:s3cret@host/" })).above(1)).then("pause")),
    ).toThrow(expect.objectContaining({ message: expect.not.stringContaining("s3cret") }));
  });
});

test("a trigger holds while its source cannot be read, and fires on what it says then", async () => {
  let answer = "";
  await using server = await listen(
    () => {},
    () => answer,
  );
  await using rig = await openRig();
  const source = prometheus({ url: server.url, query: "errors", cache: 0 });
  const handle = await rig.start(
    armed(when(value("errors", source).above(0.05, { n: 2, of: 2, interval: "1s" })).then("rollback")),
  );
  const verdict = (): unknown => handle.live().verdicts.find(({ gate }) => gate === "errors > 0.05");
  const series = (figure: string): string =>
    JSON.stringify({ status: "success", data: { resultType: "vector", result: [{ value: [0, figure] }] } });
  await vi.waitFor(async () => {
    await rig.clock.advance(1_000);
    expect(verdict()).toMatchObject({ kind: "hold", reason: expect.stringContaining("cannot be read") });
  });
  answer = series("NaN");
  await vi.waitFor(async () => {
    await rig.clock.advance(1_000);
    expect(verdict()).toMatchObject({ kind: "hold", reason: expect.stringContaining('found "NaN"') });
  });
  answer = series("0.2");
  await vi.waitFor(
    async () => {
      await rig.clock.advance(1_000);
      expect(handle.live().state).toBe("ROLLED_BACK");
    },
    { timeout: 20_000 },
  );
}, 30_000);

async function listen(
  asked: () => void,
  answer: () => string,
): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((_, response) => {
    asked();
    response.end(answer());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
