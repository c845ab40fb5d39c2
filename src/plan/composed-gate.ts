import type { ComposedGate, MeasuredGate } from "./gate-spec.ts";
import { type Condition, errorRates, type TestOptions } from "./measures.ts";
import { isObject } from "./scope.ts";

/** Several gates as one, which like `Condition` also knows how it reads as a bad sign. */
export interface ComposedCondition extends ComposedGate {
  readonly alarm: ComposedGate;
}

export interface ComposeOptions extends TestOptions {
  /** How much of the error rate falls to each gate, in the order of the list, in any unit. Default: the same to all. */
  readonly weights?: readonly number[];
  /** For people and records. Default: the names of the gates, joined. */
  readonly name?: string;
}

type Part = MeasuredGate | Condition | ComposedCondition;

/**
 * Good when every gate of the list is good, with one alpha and beta for all together (Bonferroni: alpha is shared out,
 * since one false alarm suffices). As a gate it fails when one fails; inside `when(…)`, where the words say what is bad,
 * it fires when all of it is bad.
 *
 * ```ts
 * allOf([rate.error("queue.submit").worseThan("old", { by: 2 }), p99("queue.submit").worseThan("old", { by: 2 })])
 * ```
 */
export function allOf(gates: readonly Part[], options: ComposeOptions = {}): ComposedCondition {
  return composed("all", gates, options);
}

/**
 * Good when one gate of the list is good: beta is shared out. As a gate it fails when all have failed; inside `when(…)`
 * it fires when any of it is bad.
 */
export function anyOf(gates: readonly Part[], options: ComposeOptions = {}): ComposedCondition {
  return composed("any", gates, options);
}

type Join = ComposedGate["join"];

/** "All of these are bad" is what is left when not one of them is good: the reading as a bad sign turns the join round. */
const turned: Readonly<Record<Join, Join>> = { all: "any", any: "all" };
const words: Readonly<Record<Join, string>> = { all: " and ", any: " or " };

function composed(join: Join, gates: readonly Part[], options: ComposeOptions): ComposedCondition {
  const { weights, name, ...rates } = options;
  // Plain JavaScript may hand in anything; validation then says what was found in place of a list of gates.
  const given: readonly Part[] = Array.isArray(gates) ? gates : ([gates] as unknown as readonly Part[]);
  const parts = given.map(gateOf);
  const alarms = given.map((part): MeasuredGate =>
    isObject(part) && "alarm" in part ? (part.alarm as MeasuredGate) : part,
  );
  const shared = { ...errorRates(rates), ...(weights === undefined ? {} : { weights }) };
  const named = (all: readonly MeasuredGate[]): string =>
    name ?? (all.length === 0 ? `${join} of nothing` : all.map(nameIn).join(words[join]));
  return {
    type: "composed",
    name: named(parts),
    join,
    parts,
    ...shared,
    alarm: { type: "composed", name: named(alarms), join: turned[join], parts: alarms, ...shared },
  };
}

/** Without the reading as a bad sign: it is no part of the gate that is judged. */
function gateOf(part: Part): MeasuredGate {
  if (!isObject(part) || !("alarm" in part)) return part;
  const { alarm: _, ...gate } = part;
  return gate;
}

const nameIn = (gate: MeasuredGate): string => {
  const name = isObject(gate) ? gate.name : "?";
  return isObject(gate) && gate.type === "composed" ? `(${name})` : name;
};
