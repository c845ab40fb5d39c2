import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { commandValue, eventLoop, jsonValue, perSecond, prometheus, sides } from "./index.ts";

interface FigureServer extends AsyncDisposable {
  readonly url: string;
  readonly seen: IncomingMessage[];
}

/** A real server that answers each request with what `answer` says. */
async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<FigureServer> {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const says = (value: unknown) => (_: IncomingMessage, response: ServerResponse) =>
  void response.end(typeof value === "string" ? value : JSON.stringify(value));

const vector = (...values: readonly string[]): unknown => ({
  status: "success",
  data: { resultType: "vector", result: values.map((value) => ({ metric: {}, value: [1, value] })) },
});

const unreadable = (message: RegExp) =>
  expect.objectContaining({ code: "CUTOVER_METRIC_UNREADABLE", message: expect.stringMatching(message) });

afterEach(() => vi.unstubAllEnvs());

describe("a Prometheus query", () => {
  test("gives the value of a scalar and of a vector of one", async () => {
    await using scalar = await serve(
      says({ status: "success", data: { resultType: "scalar", result: [1, "3.5"] } }),
    );
    expect(await prometheus({ url: scalar.url, query: "3.5" })()).toBe(3.5);
    await using one = await serve(says(vector("0.04")));
    expect(await prometheus({ url: `${one.url}/`, query: "sum(rate(errors[1m]))" })()).toBe(0.04);
    expect(new URL(one.seen[0]?.url ?? "", one.url).searchParams.get("query")).toBe("sum(rate(errors[1m]))");
    expect(new URL(one.seen[0]?.url ?? "", one.url).pathname).toBe("/api/v1/query");
  });

  test("refuses several series unless it is told how to reduce them", async () => {
    await using server = await serve(says(vector("1", "2", "6")));
    const { url } = server;
    await expect(prometheus({ url, query: "up" })()).rejects.toEqual(
      unreadable(/expected one series, found 3/),
    );
    expect(await prometheus({ url, query: "up", reduce: "sum" })()).toBe(9);
    expect(await prometheus({ url, query: "up", reduce: "mean" })()).toBe(3);
    expect(await prometheus({ url, query: "up", reduce: "max" })()).toBe(6);
    expect(await prometheus({ url, query: "up", reduce: "min" })()).toBe(1);
  });

  test.each([
    ["an empty result", vector(), /found none: the query matches nothing/],
    ["NaN, which two empty series divided give", vector("NaN"), /finite number, found "NaN"/],
    ["infinity", vector("+Inf"), /finite number/],
    ["a range", { status: "success", data: { resultType: "matrix", result: [] } }, /not a range/],
    ["an error", { status: "error", error: "parse error" }, /parse error/],
    ["no JSON", "<html>", /expected the JSON of a query/],
    ["null", null, /expected the JSON of a query, found "null"/],
    ["a list", [], /expected the JSON of a query/],
    [
      "a vector that is no list",
      { status: "success", data: { resultType: "vector", result: {} } },
      /list of series/,
    ],
    [
      "a series that is none",
      { status: "success", data: { resultType: "vector", result: [null] } },
      /found nothing/,
    ],
    [
      "a sample cut short",
      { status: "success", data: { resultType: "scalar", result: [1] } },
      /found nothing/,
    ],
    ["a result without data", { status: "success" }, /expected a scalar or a vector/],
  ])("does not take %s for a figure", async (_, answer, message) => {
    await using server = await serve(says(answer));
    await expect(prometheus({ url: server.url, query: "up" })()).rejects.toEqual(unreadable(message));
  });

  test("says the status and the reason of a server that refuses", async () => {
    await using server = await serve(
      (_, response) => void response.writeHead(422).end('{"error":"bad query"}'),
    );
    await expect(prometheus({ url: server.url, query: "(" })()).rejects.toEqual(
      unreadable(/found 422.*bad query/),
    );
  });

  test("says that nobody listens", async () => {
    const server = await serve(says(""));
    await server[Symbol.asyncDispose]();
    await expect(prometheus({ url: server.url, query: "up" })()).rejects.toEqual(unreadable(/ECONNREFUSED/));
  });

  test("is given up at its deadline, and is not asked twice meanwhile", async () => {
    await using server = await serve(() => {});
    const source = prometheus({ url: server.url, query: "up", timeout: "50ms" });
    await Promise.all([
      expect(source()).rejects.toEqual(unreadable(/within 50 ms/)),
      expect(source()).rejects.toEqual(unreadable(/within 50 ms/)),
    ]);
    expect(server.seen).toHaveLength(1);
  });

  test("sends a token that stands in the environment, and says when there is none", async () => {
    await using server = await serve(says(vector("1")));
    const source = prometheus({ url: server.url, query: "up", bearerFrom: "CUTOVER_TEST_TOKEN", cache: 0 });
    await expect(source()).rejects.toEqual(unreadable(/CUTOVER_TEST_TOKEN/));
    expect(server.seen).toHaveLength(0);
    vi.stubEnv("CUTOVER_TEST_TOKEN", "s3cret");
    expect(await source()).toBe(1);
    expect(server.seen[0]?.headers.authorization).toBe("Bearer s3cret");
    expect(String(source)).not.toContain("s3cret");
  });

  test("is asked once for all gates that read it within its cache time", async () => {
    await using server = await serve(says(vector("1")));
    const source = prometheus({ url: server.url, query: "up", cache: "1m" });
    await Promise.all([source(), source()]);
    await source();
    expect(server.seen).toHaveLength(1);
  });

  test("speaks of exactly the stretch a mean asks for", async () => {
    await using server = await serve(says(vector("7")));
    const wait = (side: string) =>
      prometheus({ url: server.url, query: `avg_over_time(wait{side="${side}"}[$window])` });
    const read = sides({ old: wait("old"), new: wait("new") });
    const window = { from: 10_000, to: 20_000, signal: new AbortController().signal, runId: "r1" };
    expect(await read(window)).toEqual({ old: [7], new: [7] });
    const { searchParams } = new URL(server.seen[0]?.url ?? "", server.url);
    expect(searchParams.get("query")).toContain("[10000ms]");
    expect(searchParams.get("time")).toBe("20");
    await expect(wait("old")()).rejects.toEqual(unreadable(/\$window/));
  });
});

describe("a number in JSON", () => {
  const answer = { queue: { depth: 12, "a.b": [1, { c: 2.5 }] }, text: "5", nothing: null };

  test.each([
    ["queue.depth", 12],
    ['queue["a.b"][1].c', 2.5],
    [".queue.depth", 12],
  ])("is found at %s", async (path, figure) => {
    await using server = await serve(says(answer));
    expect(await jsonValue({ url: server.url, path })()).toBe(figure);
  });

  test("may be the whole answer", async () => {
    await using server = await serve(says("42\n"));
    expect(await jsonValue({ url: server.url })()).toBe(42);
  });

  test.each([
    ["text", /expected the answer.text to be a number, found "5"/],
    ["nothing", /found null/],
    ["queue.size", /expected the answer.queue to hold "size"/],
    ["queue.constructor", /to hold "constructor"/],
    ["text[0]", /expected the answer.text to hold 0/],
  ])("is not read at %s", async (path, message) => {
    await using server = await serve(says(answer));
    await expect(jsonValue({ url: server.url, path })()).rejects.toEqual(unreadable(message));
  });

  test("is not fetched from where an address redirects to, so no token goes there", async () => {
    await using server = await serve((_, response) => void response.writeHead(302, { location: "/x" }).end());
    await expect(jsonValue({ url: server.url })()).rejects.toEqual(unreadable(/found 302/));
    expect(server.seen).toHaveLength(1);
  });

  test("is not read from an answer that breaks off", async () => {
    await using server = await serve((_, response) => {
      response.writeHead(200, { "content-length": "1000" }).write('{"score": 0.');
      setTimeout(() => response.destroy(), 20);
    });
    await expect(jsonValue({ url: server.url, path: "score" })()).rejects.toEqual(
      unreadable(/expected a whole answer, found it broken off/),
    );
  });

  test("is not read from an endless answer", async () => {
    await using server = await serve((_, response) => {
      const part = Buffer.alloc(1_048_576, 32);
      const more = (): void =>
        void (response.write(part) ? setImmediate(more) : response.once("drain", more));
      more();
    });
    await expect(jsonValue({ url: server.url })()).rejects.toEqual(unreadable(/at most 4194304 bytes/));
  });
});

describe("a command's figure", () => {
  const node = (script: string) => [process.execPath, "-e", script] as const;

  test("is what it writes to standard output, whatever it says besides", async () => {
    const run = node("console.error('a warning'); console.log(' 17.5 ')");
    expect(await commandValue({ run })()).toBe(17.5);
  });

  test("may be picked out", async () => {
    const run = node("console.log('depth: 4 of 10')");
    expect(await commandValue({ run, parse: (text) => Number(/depth: (\d+)/.exec(text)?.[1]) })()).toBe(4);
    await expect(commandValue({ run, parse: () => Number.NaN })()).rejects.toEqual(unreadable(/found NaN/));
  });

  test.each([
    ["no number", "console.log('many')", /expected one number as output, found "many"/],
    ["nothing", "", /found ""/],
    [
      "an exit code",
      "console.error('no such key'); process.exit(3)",
      /expected exit 0, found 3: no such key/,
    ],
    ["a flood", "process.stdout.write('1'.repeat(40000))", /found 40000 bytes/],
  ])("is not read from %s", async (_, script, message) => {
    await expect(commandValue({ run: node(script), timeout: "20s" })()).rejects.toEqual(unreadable(message));
  });

  test("says which program there is not", async () => {
    await expect(commandValue({ run: ["no-such-program-here"] })()).rejects.toEqual(
      unreadable(/no-such-program-here/),
    );
  });

  test("is given up at its deadline, together with all that the command started", async () => {
    const folder = mkdtempSync(join(tmpdir(), "cutover-command-"));
    const file = join(folder, "pid");
    const run = ["sh", "-c", `sleep 300 & echo $! > ${file}; wait`] as const;
    await expect(commandValue({ run, timeout: "1500ms" })()).rejects.toEqual(unreadable(/within 1.5 s/));
    const pid = Number(readFileSync(file, "utf8"));
    rmSync(folder, { recursive: true });
    expect(pid).toBeGreaterThan(0);
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow("ESRCH"), { timeout: 10_000 });
  });

  test("may be of a stretch of time", async () => {
    const source = commandValue({
      run: node("console.log(process.env.CUTOVER_TO - process.env.CUTOVER_FROM)"),
    });
    const window = { from: 1_000, to: 4_000, signal: new AbortController().signal, runId: "r1" };
    expect(await source(window)).toBe(3_000);
  });
});

describe("a counter", () => {
  test("becomes a rate with its second reading, and begins anew at 0 when it fell", async () => {
    let [count, answered] = [1_000, 0];
    await using server = await serve((_, response) => {
      answered = performance.now();
      response.end(String(count));
    });
    const rate = perSecond(jsonValue({ url: server.url, cache: 0 }));
    await expect(rate()).rejects.toEqual(unreadable(/first reading of a counter/));
    const first = answered;
    await new Promise((resolve) => setTimeout(resolve, 150));
    count = 1_030;
    const grown = await rate();
    expect(grown / (30_000 / (answered - first))).toBeCloseTo(1, 0);
    await new Promise((resolve) => setTimeout(resolve, 150));
    count = 4;
    expect(await rate()).toBeGreaterThan(0);
    expect(await rate()).toBeLessThan(4 / 0.15);
  });

  test("read twice at once gives one rate, not none", async () => {
    await using server = await serve(says("5"));
    const rate = perSecond(jsonValue({ url: server.url, cache: "20ms" }));
    await expect(rate()).rejects.toEqual(unreadable(/first reading/));
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(await Promise.all([rate(), rate()])).toEqual([0, 0]);
    expect(await rate()).toBe(0);
  });
});

describe("the event loop's delay", () => {
  test("of this process is large once something blocked it", async () => {
    const source = eventLoop({ quantile: 0.999, cache: 0 });
    await expect(source()).rejects.toEqual(unreadable(/watched from now on/));
    await new Promise((resolve) => setTimeout(resolve, 60));
    const until = performance.now() + 120;
    while (performance.now() < until);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(await source()).toBeGreaterThan(80);
  });

  test("of another process stands on its page of metrics", async () => {
    const page = `# TYPE nodejs_eventloop_lag_p99_seconds gauge
nodejs_eventloop_lag_p99_seconds_other 9
nodejs_eventloop_lag_p99_seconds{worker="a {1}"} 0.0125 1700000000
nodejs_eventloop_lag_p99_seconds{worker="b"} 0.25
lag_ms 7
`;
    await using server = await serve(says(page));
    expect(await eventLoop({ url: server.url })()).toBe(250);
    expect(await eventLoop({ url: server.url, metric: "lag_ms" })()).toBe(7);
    await expect(eventLoop({ url: server.url, metric: "lag" })()).rejects.toEqual(
      unreadable(/the metric lag on the page/),
    );
  });
});
