import type { Check } from "./definition.ts";
import type { GateSpec, Measure, MetricGate, Rule } from "./gate-spec.ts";
import { found, isObject, Scope } from "./scope.ts";
import type { Problem } from "./problem.ts";

/** Gates of one list, each with a name of its own and a limit that evidence could ever meet. */
export function readGates(
  scope: Scope,
  input: readonly GateSpec[] | undefined,
  key: string,
): readonly GateSpec[] {
  const gates = scope.list(input, key);
  for (const [index, gate] of gates.entries()) readGate(scope.entry(key, index, gate), gate);
  scope.in(key).unique(
    gates.map((gate) => (isObject(gate) ? gate.name : undefined)),
    "gate",
  );
  return gates;
}

/** Everything wrong with a gate, for rooms whose steps judge one of their own. Empty when it is sound. */
export function gateProblems(gate: GateSpec, place: string): readonly Problem[] {
  const problems: Problem[] = [];
  readGate(new Scope(problems, place), gate);
  return problems;
}

export function readChecks(scope: Scope, input: readonly Check[] | undefined, key: string): readonly Check[] {
  const checks = scope.list(input, key);
  for (const [index, check] of checks.entries()) {
    const at = scope.entry(key, index, check);
    if (!at.object(check, "a check", ["name", "run"])) continue;
    at.text(check.name, "name", true);
    if (typeof check.run !== "function")
      at.problem("CUTOVER_PLAN_INVALID", `expected \`run\` to be a function, found ${found(check.run)}`, {
        remedy: 'write check("name", async (context) => ({ ok, note }))',
      });
  }
  scope.in(key).unique(
    checks.map((check) => (isObject(check) ? check["name"] : undefined)),
    "check",
  );
  return checks;
}

/** Notes what is wrong with one gate. */
export function readGate(scope: Scope, gate: GateSpec): void {
  const type: unknown = isObject(gate) ? gate["type"] : undefined;
  if (type === "custom" && gate.type === "custom") {
    scope.text(gate.name, "name", true);
    for (const part of ["collect", "judge"] as const)
      if (typeof gate[part] !== "function")
        scope.problem(
          "CUTOVER_PLAN_INVALID",
          `expected \`${part}\` to be a function, found ${found(gate[part])}`,
          {
            remedy: 'write gate("name", { collect, judge })',
          },
        );
  } else if (type === "metric" && gate.type === "metric" && isObject(gate.measure) && isObject(gate.rule)) {
    scope.text(gate.name, "name", true);
    for (const message of [...measureProblems(gate.measure), ...ruleProblems(gate)])
      scope.problem("CUTOVER_GATE_INPUT", `gate "${gate.name}": ${message}`);
  } else {
    scope.problem("CUTOVER_PLAN_INVALID", `expected a gate, found ${found(gate)}`, {
      remedy: "use rate, p50, p95, p99, memory, value or gate() to make one",
    });
  }
}

function measureProblems(measure: Measure): string[] {
  switch (measure.of) {
    case "latency":
      return within(measure.quantile, 0, 1, "a quantile");
    case "value":
      return typeof measure.read === "function"
        ? []
        : [`expected \`read\` to be a function, found ${found(measure.read)}`];
    case "errors":
    case "mismatches":
      return measure.route === "" ? ["expected a route's name, found an empty text"] : [];
    case "memory":
      return [];
    default:
      return [`expected a known measure, found ${found((measure as { of?: unknown }).of)}`];
  }
}

function ruleProblems({ measure, rule }: MetricGate): string[] {
  switch (rule.kind) {
    case "below":
      return [...within(rule.limit, 0, 1, "a rate to be tested against"), ...chances(rule)];
    case "worse-than-old": {
      const by = Number.isFinite(rule.by) && rule.by > 1 && rule.by <= 1000;
      const wrong = `expected \`by\` above 1 and at most 1000, found ${found(rule.by)}`;
      return [...(by ? [] : [wrong]), ...chances(rule)];
    }
    case "limit":
      return limitProblems(measure, rule);
    default:
      return [`expected a known rule, found ${found((rule as { kind?: unknown }).kind)}`];
  }
}

function limitProblems(measure: Measure, rule: Extract<Rule, { kind: "limit" }>): string[] {
  const problems =
    measure.of === "memory" || measure.of === "errors" || measure.of === "mismatches"
      ? within(rule.limit, 0, 1, `a limit on ${measure.of}`)
      : Number.isFinite(rule.limit)
        ? []
        : [`expected a finite limit, found ${found(rule.limit)}`];
  const whole = (name: string, value: number): void => {
    if (!Number.isInteger(value) || value < 1)
      problems.push(`expected \`${name}\` to be a whole number from 1 on, found ${found(value)}`);
  };
  whole("minSample", rule.minSample);
  whole("n", rule.n);
  whole("of", rule.m);
  if (rule.n > rule.m) problems.push(`expected \`n\` of at most ${rule.m} intervals, found ${rule.n}`);
  if (!(rule.intervalMs > 0)) problems.push("expected `interval` to be a duration above 0");
  return problems;
}

const chances = (rule: { readonly alpha: number; readonly beta: number }): string[] => [
  ...within(rule.alpha, 0, 1, "alpha"),
  ...within(rule.beta, 0, 1, "beta"),
];

/** The bounds themselves are impossible: a rate below 0 cannot be shown, one below 1 says nothing. */
const within = (value: number, low: number, high: number, what: string): string[] =>
  typeof value === "number" && value > low && value < high
    ? []
    : [`expected ${what} between ${low} and ${high}, found ${found(value)}`];
