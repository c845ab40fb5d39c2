import type { MeanAnswer, MeanReader, MeanWindow, SideValues } from "../plan/index.ts";
import type { Source } from "./source.ts";
import { OptionProblems } from "./source-options.ts";

/**
 * One side of a mean: a source, whose reading of each stretch is one value; or sources of the number of values in the
 * stretch, their sum, and the sum of their squares, as counters and databases add them up.
 */
export type SideSource =
  Source | { readonly count: Source; readonly sum: Source; readonly sumOfSquares: Source };

const members = ["count", "sum", "sumOfSquares"] as const;

/**
 * The reader of a `mean` whose sides come from sources.
 *
 * ```ts
 * const wait = (side: string) => prometheus({ url, query: `avg_over_time(wait_ms{side="${side}"}[$window])` });
 * when(mean("wait", sides({ old: wait("old"), new: wait("new") })).worseThan("old", { by: 0.1, better: "lower" })).then("pause")
 * ```
 */
export function sides(both: { readonly old?: SideSource; readonly new: SideSource }): MeanReader & {
  readonly problems: readonly string[];
} {
  const problems = new OptionProblems(both, ["old", "new"]);
  const { old, new: fresh } = both ?? {};
  const list = [
    ...problems.list,
    ...(old === undefined ? [] : sideProblems("old", old)),
    ...sideProblems("new", fresh),
  ];
  const read = async (window: MeanWindow): Promise<MeanAnswer> => {
    const [before, after] = await Promise.all([
      old === undefined ? undefined : valuesOf(old, window),
      valuesOf(fresh, window),
    ]);
    return before === undefined ? { new: after } : { old: before, new: after };
  };
  const text = (side: SideSource | undefined): readonly string[] =>
    side === undefined || isSource(side)
      ? [String(side)]
      : members.map((member) => String((side as Partial<Record<string, Source>> | null)?.[member]));
  Object.defineProperty(read, "toString", { value: () => JSON.stringify(["sides", text(old), text(fresh)]) });
  return Object.assign(read, { problems: list });
}

const isSource = (side: unknown): side is Source =>
  typeof side === "function" && Array.isArray((side as Partial<Source>).problems);

function sideProblems(name: string, side: unknown): readonly string[] {
  if (isSource(side)) return side.problems.map((problem) => `${name}: ${problem}`);
  if (typeof side !== "object" || side === null)
    return [`expected \`${name}\` to be a source, or { count, sum, sumOfSquares } of sources`];
  const given = side as Readonly<Record<string, unknown>>;
  return [
    ...new OptionProblems(side, members).list.map((problem) => `${name} ${problem}`),
    ...members.flatMap((member) => {
      const source = given[member];
      return isSource(source)
        ? source.problems.map((problem) => `${name}.${member}: ${problem}`)
        : [`expected \`${name}.${member}\` to be a source`];
    }),
  ];
}

async function valuesOf(side: SideSource, window: MeanWindow): Promise<SideValues> {
  if (isSource(side)) return [await side(window)];
  const [count, sum, sumOfSquares] = await Promise.all([
    side.count(window),
    side.sum(window),
    side.sumOfSquares(window),
  ]);
  return { count, sum, sumOfSquares };
}
