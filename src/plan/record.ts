import { canonicalJson, type Json, type JsonObject, sha256 } from "../core/index.ts";
import type { CompiledContingency, CompiledPhase, CompiledStep } from "./compile.ts";
import type { Check, TriggerCondition } from "./definition.ts";
import { type GateSpec, gateToJson, readerText } from "./gate-spec.ts";
import type { Migration } from "./migration.ts";
import { originsOf } from "./origin-record.ts";
import { isUnproven } from "./unproven.ts";

/**
 * A compiled definition as JSON, twice: `definition` is what the hash covers, `graph()` is what the record keeps (built when it is asked for),
 * with each step's layer and summary added for people. Functions and inputs stand there as digests, so two graphs
 * can be compared and neither source text nor settings leak into reports. Summaries stay out of the hash: a newer
 * Cutover may word them better. So do the lines of the written plan behind it, which move when the document is edited.
 *
 * `graph`: `{ format, hash, name, title, units, waves, phases: [{ name, title, after, units, forwardOnly, approval,
 * patienceMs, entry, wayBack, exit, steps: [{ id, name, unit, kind, after, reversible, undo, timeoutMs, retries,
 * input, code, wave, layer, summary }] }], triggers, verifyOld, success, contingencies, risks, schedule, document, origins, unprovenTriggers }`.
 */
export function describe(parts: Parts): {
  readonly definition: JsonObject;
  readonly graph: () => JsonObject;
} {
  const digest = digester();
  return {
    definition: build(parts, digest, (step) => stepData(step, digest)),
    graph: () => ({
      ...build(parts, digest, (step) => ({
        ...stepData(step, digest),
        layer: step.layer,
        summary: step.summary,
      })),
      ...originsOf(parts),
      unprovenTriggers: parts.migration.triggers
        .filter(({ condition }) => isUnproven(condition))
        .map(({ name }) => name),
    }),
  };
}

interface Parts {
  readonly migration: Migration;
  readonly phases: readonly CompiledPhase[];
  readonly contingencies: readonly CompiledContingency[];
}

function build(
  { migration, phases, contingencies }: Parts,
  digest: Digest,
  stepJson: (step: CompiledStep) => JsonObject,
): JsonObject {
  const checkData = (check: Check): Json => ({ name: check.name, code: digest(String(check.run)) });
  const gateData = (gate: GateSpec): Json => gateJson(gate, digest);
  return {
    format: 1,
    name: migration.name,
    title: migration.title,
    units: migration.units.map((unit) => ({ ...unit })),
    waves: migration.waves.map(({ name, units, exit }) => ({
      name,
      units,
      exit: (exit ?? []).map(gateData),
    })),
    phases: phases.map((phase) => ({
      name: phase.name,
      title: phase.title,
      after: phase.after,
      units: phase.units,
      forwardOnly: phase.forwardOnly,
      approval: phase.approval === undefined ? null : { ...phase.approval },
      patienceMs: phase.patienceMs,
      entry: phase.entry.map(checkData),
      wayBack: phase.wayBack.map(checkData),
      exit: phase.exit.map(gateData),
      steps: phase.steps.map(stepJson),
    })),
    triggers: migration.triggers.map(({ name, action, phases: armed, condition, ...times }) => ({
      name,
      action,
      phases: armed ?? null,
      condition: conditionJson(condition, gateData, digest),
      ...times,
    })),
    verifyOld: migration.verifyOld.map(checkData),
    success: migration.success.map(gateData),
    contingencies: contingencies.map(({ name, on, steps }) => ({ name, on, steps: steps.map(stepJson) })),
    risks: migration.risks.map((risk) => ({ ...risk })),
    schedule: migration.schedule === undefined ? null : { ...migration.schedule },
  };
}

/** What undoing a step means: a rollback of its own, nothing to undo, or no way back. */
export const undoOf = (step: Pick<CompiledStep, "kind">): "rollback" | "nothing" | "impossible" => {
  if (!step.kind.reversible) return "impossible";
  return step.kind.rollback === undefined || step.kind.tidiesOnly === true ? "nothing" : "rollback";
};

/** Keys in the order of canonical JSON, which then needs no sorting: there may be thousands. */
const stepData = (step: CompiledStep, digest: Digest): JsonObject => ({
  after: step.after,
  code: digest(step.kind.fingerprint?.(step.input) ?? ""),
  id: step.id,
  input: digest(canonicalJson(step.input)),
  kind: step.kind.kind,
  name: step.name,
  retries: step.retries,
  reversible: step.kind.reversible,
  timeoutMs: step.timeoutMs,
  undo: undoOf(step),
  unit: step.unit ?? null,
  wave: step.wave,
});

function gateJson(gate: GateSpec, digest: Digest): Json {
  if (gate.type === "custom")
    return {
      type: "custom",
      name: gate.name,
      code: digest(`${String(gate.collect)}\n${String(gate.judge)}`),
    };
  // `gateToJson` picks members: the reading as a bad sign that a condition carries is not part of the gate that is judged.
  const data = gateToJson(gate) as JsonObject;
  if (gate.type === "composed") return { ...data, parts: gate.parts.map((part) => gateJson(part, digest)) };
  const code = readerText(gate);
  return code === "" ? data : { ...data, code: digest(code) };
}

/** A reader stands there by its text, as in gates. */
function conditionJson(
  condition: TriggerCondition,
  gateData: (gate: GateSpec) => Json,
  digest: Digest,
): Json {
  if (condition.type === "manual") return { ...condition };
  if (condition.type !== "run") return gateData(condition);
  if (condition.of !== "growth") return { ...condition };
  const { read, ...data } = condition;
  return { ...data, code: digest(String(read)) };
}

/** 16 hexadecimal digits: enough to tell changes apart, short enough for thousands of steps in one event. */
type Digest = (text: string) => string;

/** Thousands of steps share a few functions and inputs, so each text is digested once. */
function digester(): Digest {
  const known = new Map<string, string>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const made = sha256(text).slice(0, 16);
    known.set(text, made);
    return made;
  };
}
