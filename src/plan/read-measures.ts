import { nameOneOf } from "../core/index.ts";
import type { Measure, MetricGate, Rule } from "./gate-spec.ts";
import { found } from "./scope.ts";

/** The rules that can judge each measure. */
const judgedBy: Readonly<Record<Measure["of"], readonly Rule["kind"][]>> = {
  errors: ["below", "worse-than-old", "limit"],
  mismatches: ["below", "limit"],
  latency: ["worse-than-old", "below", "limit"],
  memory: ["limit"],
  value: ["limit"],
  mean: ["mean-worse-than-old", "mean-limit"],
  split: ["as-assigned"],
  coverage: ["covered"],
  backlog: ["backlog"],
};

/** What a measure may hold besides `of`, as its options are called. */
const measureMembers: Readonly<Record<Measure["of"], readonly string[]>> = {
  errors: ["route"],
  mismatches: ["route"],
  latency: ["route", "quantile"],
  memory: [],
  value: ["name", "read"],
  mean: ["name", "read", "every"],
  split: ["route"],
  coverage: ["route", "operations", "cohorts"],
  backlog: ["route"],
};

/** Options of each rule, as they are called where they are written. */
const ruleMembers: Readonly<Record<Rule["kind"], readonly string[]>> = {
  below: ["alpha", "beta"],
  "worse-than-old": ["by", "alpha", "beta"],
  limit: ["minSample", "n", "of", "interval"],
  "mean-worse-than-old": ["by", "byValue", "better", "minSample", "alpha", "beta"],
  "mean-limit": ["minSample", "alpha", "beta"],
  "as-assigned": ["within", "alpha", "beta"],
  covered: ["atLeast", "operations", "cohorts"],
  backlog: ["for"],
};

/** Members of the rules that stand for an option or an argument under another name. */
const ruleData = ["kind", "limit", "direction", "m", "intervalMs", "relative", "bad", "over", "forMs"];

export function measureProblems(measure: Measure): string[] {
  if (!(measure.of in measureMembers))
    return [`expected a known measure, found ${found((measure as { of?: unknown }).of)}`];
  const { of, ...members } = measure as Measure & { readonly everyMs?: number };
  const problems = unknownMembers(members, [...measureMembers[of], "everyMs"], measureMembers[of]);
  if ("route" in measure || of === "coverage" || of === "backlog") problems.push(...routeProblems(measure));
  switch (measure.of) {
    case "latency":
      problems.push(...within(measure.quantile, 0, 1, "a quantile"));
      break;
    case "value":
    case "mean":
      if (typeof measure.name !== "string" || measure.name.trim() === "")
        problems.push(
          `expected a name of what is measured, found ${measure.name === "" ? "an empty text" : found(measure.name)}`,
        );
      if (typeof measure.read !== "function")
        problems.push(`expected \`read\` to be a function, found ${found(measure.read)}`);
      problems.push(...sourceProblems(measure.read));
      if (measure.of === "mean" && !(measure.everyMs > 0))
        problems.push("expected `every` to be a duration above 0");
      break;
    case "coverage":
      problems.push(
        ...namesProblems("operations", measure.operations),
        ...namesProblems("cohorts", measure.cohorts),
      );
      break;
    case "errors":
    case "mismatches":
    case "memory":
    case "split":
    case "backlog":
  }
  return problems;
}

/** What a source (`cutover/metrics`) found wrong with its own options: it never throws where it is written. */
export function sourceProblems(read: unknown): readonly string[] {
  const { problems } = (typeof read === "function" ? read : {}) as { readonly problems?: unknown };
  return Array.isArray(problems) ? problems.map((problem) => `its source ${String(problem)}`) : [];
}

function routeProblems(measure: Measure): readonly string[] {
  const route: unknown = "route" in measure ? measure.route : undefined;
  if (typeof route === "string" && route.trim() !== "") return [];
  return [`expected a route's name, found ${route === "" ? "an empty text" : found(route)}`];
}

function namesProblems(key: string, names: readonly string[] | undefined): readonly string[] {
  if (names === undefined) return [];
  if (!Array.isArray(names)) return [`expected \`${key}\` to be a list of names, found ${found(names)}`];
  const bad: unknown = names.find((name) => typeof name !== "string" || name === "");
  if (bad !== undefined) return [`expected \`${key}\` to hold names, found ${found(bad)}`];
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined ? [] : [`expected each of \`${key}\` once, found "${twice}" twice`];
}

export function ruleProblems({ measure, rule }: MetricGate): string[] {
  if (!(rule.kind in ruleMembers))
    return [`expected a known rule, found ${found((rule as { kind?: unknown }).kind)}`];
  const allowed = judgedBy[measure.of] ?? [];
  if (allowed.length > 0 && !allowed.includes(rule.kind))
    return [`expected the rule ${allowed.join(" or ")} for ${measure.of}, found ${found(rule.kind)}`];
  const { kind, ...members } = rule;
  const known = [...ruleMembers[kind], ...ruleData];
  const problems = unknownMembers(members, known, ruleMembers[kind]);
  switch (rule.kind) {
    case "below":
      return [...problems, ...rateLimitProblems(measure, rule.limit), ...chances(rule)];
    case "worse-than-old": {
      const by = Number.isFinite(rule.by) && rule.by > 1 && rule.by <= 1000;
      const wrong = `expected \`by\` above 1 and at most 1000, found ${found(rule.by)}`;
      return [...problems, ...(by ? [] : [wrong]), ...chances(rule)];
    }
    case "limit":
      return [...problems, ...limitProblems(measure, rule)];
    case "mean-worse-than-old":
      return [...problems, ...meanProblems(rule), ...whole("minSample", rule.minSample, 2), ...chances(rule)];
    case "mean-limit":
      if (!Number.isFinite(rule.limit)) problems.push(`expected a finite limit, found ${found(rule.limit)}`);
      return [...problems, ...whole("minSample", rule.minSample, 2), ...chances(rule)];
    case "as-assigned":
      return [...problems, ...within(rule.within, 0, 1, "`within`"), ...chances(rule)];
    case "covered":
      return [...problems, ...whole("atLeast", rule.atLeast)];
    case "backlog":
      if (!(rule.forMs >= 0)) problems.push("expected `for` to be a duration");
      return [...problems, ...whole("the limit", rule.limit)];
  }
}

/** A latency's limit is in milliseconds, all others are rates. */
function rateLimitProblems(measure: Measure, limit: number): readonly string[] {
  if (measure.of !== "latency") return within(limit, 0, 1, "a rate to be tested against");
  return Number.isFinite(limit) && limit > 0 ? [] : [`expected milliseconds above 0, found ${found(limit)}`];
}

function meanProblems({ by, relative, better }: Extract<Rule, { kind: "mean-worse-than-old" }>): string[] {
  const problems: string[] = [];
  if (better !== "higher" && better !== "lower")
    problems.push(`expected \`better\` to be "higher" or "lower", found ${found(better)}`);
  if (relative && better === "higher" && !(by > 0 && by < 1))
    problems.push(
      `expected \`by\` between 0 and 1, a part of the old mean (0.05 is 5 %), or \`byValue\` in the unit of the values, found ${found(by)}`,
    );
  else if (!(by > 0 && Number.isFinite(by)))
    problems.push(`expected \`${relative ? "by" : "byValue"}\` above 0, and not both, found ${found(by)}`);
  return problems;
}

function limitProblems(measure: Measure, rule: Extract<Rule, { kind: "limit" }>): string[] {
  const problems =
    measure.of === "memory" || measure.of === "errors" || measure.of === "mismatches"
      ? within(rule.limit, 0, 1, `a limit on ${measure.of}`)
      : Number.isFinite(rule.limit)
        ? []
        : [`expected a finite limit, found ${found(rule.limit)}`];
  problems.push(
    ...whole("minSample", rule.minSample),
    ...whole("n", rule.n),
    ...whole("of", rule.m),
    ...(rule.n > rule.m ? [`expected \`n\` of at most ${rule.m} intervals, found ${rule.n}`] : []),
    ...(rule.intervalMs > 0 ? [] : ["expected `interval` to be a duration above 0"]),
  );
  return problems;
}

const whole = (name: string, value: number, least = 1): string[] =>
  Number.isSafeInteger(value) && value >= least
    ? []
    : [
        `expected ${name === "the limit" ? name : `\`${name}\``} to be a whole number from ${least} on, found ${found(value)}`,
      ];

export const chances = (rule: { readonly alpha: number; readonly beta: number }): string[] => [
  ...within(rule.alpha, 0, 1, "alpha"),
  ...within(rule.beta, 0, 1, "beta"),
];

/** The bounds themselves are impossible: a rate below 0 cannot be shown, one below 1 says nothing. */
const within = (value: number, low: number, high: number, what: string): string[] =>
  typeof value === "number" && value > low && value < high
    ? []
    : [`expected ${what} between ${low} and ${high}, found ${found(value)}`];

/** One message for each member that nobody knows, since it would do nothing. `shown`: those to suggest in its place. */
export function unknownMembers(
  given: object,
  known: readonly string[],
  shown: readonly string[] = known,
): string[] {
  const {
    unknown = [],
    alarm: _,
    ...members
  } = given as { readonly unknown?: readonly string[]; readonly alarm?: unknown };
  return [...unknown, ...Object.keys(members).filter((key) => !known.includes(key))].map(
    (key) => `knows no \`${key}\`: ${nameOneOf(key, shown, "remove it")}`,
  );
}
