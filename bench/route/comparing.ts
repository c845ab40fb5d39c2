/** Comparing two equal answers of 10 KB, against what is at hand in Node for that. */
import { isDeepStrictEqual } from "node:util";
import { compare } from "../../src/rollout/index.ts";
import { measureRounds, type Series, spread } from "../measure/rounds.ts";
import { nanoseconds, printReach, printTable } from "../measure/table.ts";

const rounds = 21;
const calls = 400;

/** An answer as services give them: a list of records with texts, numbers, times and nested parts; 10 KB as JSON. */
function answer(): unknown {
  return {
    page: 1,
    total: 60,
    items: Array.from({ length: 60 }, (_, i) => ({
      id: `order-${String(i).padStart(6, "0")}`,
      state: "queued",
      size: i * 17,
      created: new Date(1_700_000_000_000 + i),
      tags: ["a", "b"],
      owner: { name: `customer ${i}`, active: true },
    })),
  };
}

export async function comparing(): Promise<void> {
  const [a, b] = [answer(), answer()];
  const kilobytes = JSON.stringify(a).length / 1_024;
  const subject = (name: string, equal: () => boolean) => ({
    name,
    run: async (count: number) => {
      for (let i = 0; i < count; i++) if (!equal()) throw new Error(`${name} found equal answers different`);
    },
  });
  const results = await measureRounds(
    [
      subject("compare()", () => compare(a, b).differences.length === 0),
      subject(
        "compare() with ignored fields",
        () => compare(a, b, { ignore: ["runId", "items.*.at"] }).complete,
      ),
      subject("isDeepStrictEqual", () => isDeepStrictEqual(a, b)),
      subject("JSON texts", () => JSON.stringify(a) === JSON.stringify(b)),
    ],
    { rounds, calls },
  );
  console.log(
    `comparing two equal answers of ${kilobytes.toFixed(1)} KB, processor time, ${rounds} rounds of ${calls}\n`,
  );
  const cost = (series: Series): number => spread(series.map(({ cpu }) => cpu)).median;
  const own = cost(results.get("compare()") ?? []);
  printTable(
    ["", "per comparison", "× compare()"],
    [...results].map(([name, series]) => [name, nanoseconds(cost(series)), (cost(series) / own).toFixed(2)]),
  );
  console.log();
  const node = cost(results.get("isDeepStrictEqual") ?? []);
  printReach(
    "comparison of 10 KB",
    own <= node,
    `${nanoseconds(own)}, ${(node / own).toFixed(2)}× under isDeepStrictEqual`,
    "≥ 1×",
  );
}
