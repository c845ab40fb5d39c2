import type { Interval, MismatchSample, RouteDeclaration } from "../core/index.ts";

export interface CoverageLine {
  readonly name: string;
  readonly compared: number;
  readonly mismatches: number;
  /**
   * `compared`; `untested`: declared and never compared; `undeclared`: compared, but no application declares it; `never`:
   * declared to reach one side only, so it is not waited for.
   */
  readonly state: "compared" | "untested" | "undeclared" | "never";
  /** Of `never`: the reason. */
  readonly reason?: string;
  /** Of `never`: calls left to one side. */
  readonly refused?: number;
}

/** A field that differed in kept mismatches, which are the newest ones only, with the newest of its values. */
export interface DifferingField {
  readonly path: string;
  readonly kept: number;
  readonly key: string;
  readonly old: string;
  readonly new: string;
}

/** Which parts of a route's calls were compared, as far back as measurements are kept. */
export interface RouteCoverage {
  readonly compared: number;
  readonly mismatches: number;
  /** False while no application that is connected declares the route: then nothing can be called untested. */
  readonly declared: boolean;
  readonly operations: readonly CoverageLine[];
  readonly cohorts: readonly CoverageLine[];
  /** Fields by which kept mismatches differ, the commonest first. Absent: an owner of an older version answered. */
  readonly fields?: readonly DifferingField[];
}

/** Numbers in a path are list indexes or ids: fields of all of them are one. */
const anyIndex = (path: string): string => path.replace(/(^|\.)\d+(?=\.|$)/g, "$1*");

/** @param samples newest first, as a store gives them */
export function differingFields(samples: readonly MismatchSample[]): readonly DifferingField[] {
  const fields = new Map<string, DifferingField>();
  for (const { key, differences } of samples) {
    const seen = new Set<string>();
    for (const { path, old, new: fresh } of differences) {
      const name = anyIndex(path);
      if (seen.has(name)) continue;
      seen.add(name);
      const known = fields.get(name);
      fields.set(
        name,
        known === undefined
          ? { path: name, kept: 1, key, old, new: fresh }
          : { ...known, kept: known.kept + 1 },
      );
    }
  }
  return [...fields.values()].toSorted((a, b) => b.kept - a.kept);
}

/** @param declarations of the applications connected now, about this route */
export function routeCoverage(
  intervals: readonly Interval[],
  declarations: readonly RouteDeclaration[],
  samples: readonly MismatchSample[] = [],
): RouteCoverage {
  const declared = declarations.length > 0;
  const total = (pick: (interval: Interval) => number): number =>
    intervals.reduce((sum, interval) => sum + pick(interval), 0);
  const refused = sums(intervals.map((interval) => interval.refused));
  const never = new Map(declarations.flatMap(({ never: reasons = {} }) => Object.entries(reasons)));
  const linesOf = (
    names: readonly string[],
    compared: ReadonlyMap<string, number>,
    differing: ReadonlyMap<string, number>,
  ): CoverageLine[] => {
    const known = new Set(names);
    return [...new Set([...names, ...compared.keys()])].map((name) => {
      const count = compared.get(name) ?? 0;
      const state = declared && !known.has(name) ? "undeclared" : count === 0 ? "untested" : "compared";
      return { name, compared: count, mismatches: differing.get(name) ?? 0, state };
    });
  };
  const operations = linesOf(
    declarations.flatMap((each) => each.operations).filter((name) => !never.has(name)),
    sums(intervals.map((interval) => interval.operations)),
    sums(intervals.map((interval) => interval.differing?.operations)),
  );
  return {
    compared: total((interval) => interval.compared),
    mismatches: total((interval) => interval.mismatches),
    declared,
    fields: differingFields(samples),
    operations: [
      ...operations.filter(({ name }) => !never.has(name)),
      ...[...new Set([...never.keys(), ...refused.keys()])].map((name): CoverageLine => {
        const before = operations.find((line) => line.name === name);
        return {
          name,
          compared: before?.compared ?? 0,
          mismatches: before?.mismatches ?? 0,
          state: "never",
          ...(never.has(name) ? { reason: never.get(name) ?? "" } : {}),
          refused: refused.get(name) ?? 0,
        };
      }),
    ],
    cohorts: linesOf(
      declarations.flatMap((each) => each.cohorts ?? []),
      sums(intervals.map((interval) => interval.cohorts)),
      sums(intervals.map((interval) => interval.differing?.cohorts)),
    ),
  };
}

function sums(
  counts: readonly (Readonly<Record<string, number>> | undefined)[],
): ReadonlyMap<string, number> {
  const sum = new Map<string, number>();
  for (const each of counts)
    for (const [name, count] of Object.entries(each ?? {})) sum.set(name, (sum.get(name) ?? 0) + count);
  return sum;
}
