import type { JsonObject } from "../core/index.ts";
import { type Examiner, noUse } from "./examiner.ts";
import { requireArray, requireCount, requireObject } from "./input.ts";
import type { CoveredRule, Declared, MeasureInput } from "./rules.ts";

type Coverage = Extract<MeasureInput, { of: "coverage" }>;

/** Names a door may invent are not without end: a line for people shows so many of them. */
const mostShown = 12;

/**
 * Counts compared answers by operation and by cohort. Passes once each that is demanded was compared `atLeast` times:
 * those the measure lists, else those declared, but not the operations that are declared never to be shadowed. Where
 * none is demanded by name the whole route must have been compared so often. Holds otherwise, and while nothing is
 * declared: what nobody has named cannot be called covered. Never fails.
 */
export function examineCoverage(measure: Coverage, { atLeast }: CoveredRule): Examiner {
  requireCount("atLeast", atLeast, 1);
  const operations = new Map<string, number>();
  const cohorts = new Map<string, number>();
  let compared = 0;
  let declared: Declared | undefined;
  let from = Number.POSITIVE_INFINITY;
  let to = Number.NEGATIVE_INFINITY;

  return {
    add(interval) {
      for (const [place, counts] of [
        ["operations", interval.operations],
        ["cohorts", interval.cohorts ?? {}],
      ] as const) {
        requireObject(place, counts);
        for (const [name, count] of Object.entries(counts)) requireCount(`${place}.${name}`, count);
      }
      from = Math.min(from, interval.from);
      to = Math.max(to, interval.to);
      compared += interval.compared;
      addUp(operations, interval.operations);
      addUp(cohorts, interval.cohorts ?? {});
    },
    remember: noUse,
    read: noUse,
    expect(more) {
      requireObject("declared", more);
      requireArray("declared.operations", more.operations);
      requireArray("declared.cohorts", more.cohorts);
      requireObject("declared.never", more.never);
      declared = more;
    },
    finding() {
      const never = declared?.never ?? {};
      const asked = measure.operations;
      const wanted = asked ?? (declared?.operations ?? []).filter((name) => never[name] === undefined);
      const groups = measure.cohorts ?? declared?.cohorts ?? [];
      const byName = wanted.length + groups.length > 0;
      const demanded: readonly Demand[] = [
        ...wanted.map((name) => ({ name, seen: operations.get(name) ?? 0 })),
        ...groups.map((name) => ({ name: `cohort ${name}`, seen: cohorts.get(name) ?? 0 })),
        ...(wanted.length === 0 ? [{ name: byName ? "all calls" : measure.route, seen: compared }] : []),
      ];
      const untested = demanded.filter(({ seen }) => seen < atLeast);
      const unknown = declared === undefined && asked === undefined;
      const impossible = (asked ?? []).filter((name) => never[name] !== undefined);
      const nothing = asked === undefined && wanted.length === 0 && Object.keys(never).length > 0;
      const refused = Object.entries(never).map(([name, why]) => `${name} (${why})`);
      const kind = untested.length === 0 && !unknown ? "pass" : "hold";
      const parts = [
        unknown ? `no application has declared ${measure.route} yet` : "",
        nothing ? "no operation may be shadowed, so none can be compared" : "",
        impossible.length === 0 ? "" : `never shadowed, yet demanded: ${list(impossible)}`,
        count(wanted, operations, atLeast, "operation"),
        count(groups, cohorts, atLeast, "cohort"),
        wanted.length === 0 ? `${compared} compared of ${atLeast}` : "",
        untested.length === 0 || !byName
          ? ""
          : `untested: ${list(untested.map(({ name, seen }) => `${name} (${seen} of ${atLeast})`))}`,
        refused.length === 0 ? "" : `never shadowed: ${list(refused)}`,
      ];
      const waits = untested.map(({ seen }) =>
        seen === 0 ? Number.NaN : ((atLeast - seen) / seen) * (to - from),
      );
      const wait = impossible.length > 0 || waits.length === 0 ? Number.NaN : Math.max(...waits);
      const figures: JsonObject = {
        atLeast,
        compared,
        operations: Object.fromEntries(wanted.map((name) => [name, operations.get(name) ?? 0])),
        cohorts: Object.fromEntries(groups.map((name) => [name, cohorts.get(name) ?? 0])),
        untested: untested.map(({ name }) => name),
        never: { ...never },
      };
      return {
        kind,
        reason: parts.filter((part) => part !== "").join("; "),
        figures,
        ...(kind === "hold" && Number.isFinite(wait) ? { waitMs: Math.round(wait) } : {}),
      };
    },
  };
}

interface Demand {
  readonly name: string;
  readonly seen: number;
}

function addUp(sums: Map<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, more] of Object.entries(counts)) sums.set(name, (sums.get(name) ?? 0) + more);
}

function count(
  wanted: readonly string[],
  seen: ReadonlyMap<string, number>,
  atLeast: number,
  what: string,
): string {
  if (wanted.length === 0) return "";
  const done = wanted.filter((name) => (seen.get(name) ?? 0) >= atLeast).length;
  return `${done} of ${wanted.length} ${what}${wanted.length === 1 ? "" : "s"} compared at least ${atLeast} times`;
}

function list(names: readonly string[]): string {
  const more = names.length - mostShown;
  return names.slice(0, mostShown).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
