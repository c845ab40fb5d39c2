import type { Check } from "./definition.ts";
import type { ComposedGate, GateSpec, MeasuredGate } from "./gate-spec.ts";
import { chances, measureProblems, ruleProblems, unknownMembers } from "./read-measures.ts";
import { usualErrors } from "./measures.ts";
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
  } else if (type === "composed" && gate.type === "composed") {
    readComposed(scope, gate);
  } else {
    const verbs = isObject(gate)
      ? Object.keys(gate).filter(
          (key) => typeof (gate as unknown as Record<string, unknown>)[key] === "function",
        )
      : [];
    scope.problem("CUTOVER_PLAN_INVALID", `expected a gate, found ${found(gate)}`, {
      remedy:
        verbs.length === 0
          ? "use rate, p50, p95, p99, mean, split, coverage, backlog, memory, value, allOf, anyOf or gate() to make one"
          : `say what must be true of it: .${verbs.join("(…) or .")}(…)`,
    });
  }
}

/** Notes what is wrong with a gate that is to set off a trigger: one that never fails would stand guard over nothing. */
export function readAlarm(scope: Scope, gate: GateSpec): void {
  const before = scope.problems.length;
  readGate(scope, gate);
  if (scope.problems.length > before || canFail(gate)) return;
  scope.problem(
    "CUTOVER_PLAN_INVALID",
    `expected a gate that can fail, found "${gate.name}", which only passes or holds`,
    {
      remedy: "put it into `exit`, or arm another measure",
    },
  );
}

function canFail(gate: GateSpec): boolean {
  if (gate.type === "custom") return true;
  if (gate.type === "composed")
    return gate.join === "all" ? gate.parts.some(canFail) : gate.parts.every(canFail);
  return gate.rule.kind !== "covered" && !(gate.rule.kind === "backlog" && gate.rule.over === "hold");
}

function readComposed(scope: Scope, gate: ComposedGate): void {
  scope.text(gate.name, "name", true);
  const say = (message: string): void =>
    scope.problem("CUTOVER_GATE_INPUT", `gate "${gate.name}": ${message}`);
  const { join, parts, weights, alpha, beta, type: _, name: _name, ...others } = gate;
  if (join !== "all" && join !== "any") say(`expected allOf or anyOf, found ${found(join)}`);
  for (const message of [
    ...chances({ alpha, beta }),
    ...unknownMembers(others, ["alpha", "beta", "weights", "name"]),
  ])
    say(message);
  if (!Array.isArray(parts) || parts.length === 0)
    return say(`expected a list of gates, found ${Array.isArray(parts) ? "an empty one" : found(parts)}`);
  for (const [index, part] of parts.entries()) {
    const at = scope.entry("parts", index, part);
    const before = scope.problems.length;
    readGate(at, part);
    if (scope.problems.length > before) continue;
    if (part.type !== "metric" && part.type !== "composed")
      at.problem("CUTOVER_GATE_INPUT", `gate "${gate.name}": expected measures, found a gate of one's own`, {
        remedy: "list it beside the composition: it has no error rate that could be shared out",
      });
    else if (hasOwnErrors(part))
      at.problem(
        "CUTOVER_GATE_INPUT",
        `gate "${gate.name}": expected "${part.name}" to take its share of alpha and beta, found its own`,
        {
          remedy: "write alpha, beta and weights at allOf or anyOf",
        },
      );
  }
  scope.in("parts").unique(
    parts.map((part) => (isObject(part) ? part["name"] : undefined)),
    "gate",
  );
  if (weights === undefined) return;
  if (!Array.isArray(weights) || weights.length !== parts.length)
    say(`expected one weight for each of ${parts.length} gates, found ${found(weights)}`);
  else
    for (const weight of weights)
      if (!(typeof weight === "number" && weight > 0 && Number.isFinite(weight)))
        say(`expected weights above 0, found ${found(weight)}`);
}

/** Whether somebody wrote error rates at a part, where they would do nothing. */
function hasOwnErrors(part: MeasuredGate): boolean {
  const { alpha, beta } = { ...usualErrors, ...(part.type === "composed" ? part : part.rule) };
  return alpha !== usualErrors.alpha || beta !== usualErrors.beta;
}
