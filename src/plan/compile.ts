import { canonicalJson, type Json, type JsonObject, parseDuration, sha256 } from "../core/index.ts";
import type { Approval, Check, Contingency, Step, Trigger } from "./definition.ts";
import { type Dependencies, layerOf, topologicalOrder } from "./dependencies.ts";
import { expandPhase, type Node } from "./expand.ts";
import type { GateSpec } from "./gate-spec.ts";
import type { Migration, MigrationPhase } from "./migration.ts";
import { originOf } from "./origin.ts";
import { describe } from "./record.ts";
import type { StepKind } from "./step-kind.ts";
import { waveGateKind } from "./wave-gate.ts";

/** A definition as the engine runs it: every step with its id, in an order that is the same every time. */
export interface Compiled {
  readonly migration: Migration;
  /** SHA-256 over everything the definition says and the source text of its functions. */
  readonly hash: string;
  /** In the order they run. */
  readonly phases: readonly CompiledPhase[];
  /** All steps of all phases, each after everything it depends on. */
  readonly steps: readonly CompiledStep[];
  readonly contingencies: readonly CompiledContingency[];
  readonly triggers: readonly Trigger[];
  readonly success: readonly GateSpec[];
  /** What `run.created` records: see `describe`. */
  readonly graph: JsonObject;
}

export interface CompiledPhase {
  readonly name: string;
  readonly title: string | undefined;
  readonly after: readonly string[];
  readonly units: readonly string[];
  readonly entry: readonly Check[];
  readonly wayBack: readonly Check[];
  /** Topological; among steps that could come next, the one written first. */
  readonly steps: readonly CompiledStep[];
  /** Ids that may run side by side: layer 0 waits for nothing in the phase. */
  readonly layers: readonly (readonly string[])[];
  readonly exit: readonly GateSpec[];
  readonly approval: Approval | undefined;
  readonly forwardOnly: boolean;
  readonly patienceMs: number;
}

export interface CompiledStep {
  /** `phase/name`, `phase/name@unit`, or `phase/wave:name` for the built-in step that judges a wave. */
  readonly id: string;
  readonly name: string;
  readonly phase: string;
  readonly unit: string | undefined;
  readonly kind: StepKind;
  readonly input: Json;
  /** Ids of the steps of its phase it waits for. */
  readonly after: readonly string[];
  readonly layer: number;
  readonly timeoutMs: number;
  readonly retries: number;
  /** Set on the built-in step that judges a wave's gates. */
  readonly wave: string | undefined;
  /** Line of the written plan that asks for it: `PLAN.md:31`. */
  readonly from: string | undefined;
  readonly summary: string;
}

export interface CompiledContingency {
  readonly name: string;
  readonly on: Contingency["on"];
  /** Ids are `contingency:NAME/step`. */
  readonly steps: readonly CompiledStep[];
}

/** Limit of one attempt when neither step nor kind sets one. */
const defaultTimeout = parseDuration("1h");

/** Expands a definition to its static graph. Pure: the same definition gives the same steps, order and hash. */
export function compile(migration: Migration): Compiled {
  const byName = new Map(migration.phases.map((phase) => [phase.name, phase]));
  const order = topologicalOrder(new Map(migration.phases.map((phase) => [phase.name, phase.after])));
  const phases = order.flatMap((name) => {
    const phase = byName.get(name);
    return phase === undefined ? [] : [compilePhase(migration, phase)];
  });
  const contingencies = migration.contingencies.map(({ name, on, steps }) => {
    const scope = `contingency:${name}`;
    return { name, on, steps: compileSteps(expandPhase({ name: scope, steps }, [], []).nodes, scope, 0) };
  });
  const parts = { migration, phases, contingencies };
  const { definition, graph } = describe(parts);
  const hash = sha256(canonicalJson(definition));
  let built: JsonObject | undefined;
  return {
    ...parts,
    hash,
    steps: phases.flatMap((phase) => phase.steps),
    triggers: migration.triggers,
    success: migration.success,
    // A resumed run has its graph in the record already: building it again would cost 10,000 steps 50 ms.
    get graph() {
      return (built ??= { ...graph(), hash });
    },
  };
}

function compilePhase(migration: Migration, phase: MigrationPhase): CompiledPhase {
  const { nodes } = expandPhase(phase, migration.units, migration.waves);
  const steps = compileSteps(nodes, phase.name, phase.patienceMs);
  const layers: string[][] = [];
  for (const step of steps) (layers[step.layer] ??= []).push(step.id);
  const { name, title, after, units, entry, wayBack, exit, approval, forwardOnly, patienceMs } = phase;
  return {
    name,
    title,
    after,
    units,
    entry,
    wayBack,
    steps,
    layers,
    exit,
    approval,
    forwardOnly,
    patienceMs,
  };
}

function compileSteps(nodes: readonly Node[], phase: string, patienceMs: number): readonly CompiledStep[] {
  const after: Dependencies = new Map(nodes.map((node) => [node.id, node.after]));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const order = topologicalOrder(after);
  const layers = layerOf(after, order);
  const compiled: CompiledStep[] = [];
  for (const id of order) {
    const node = byId.get(id);
    const step = node?.step ?? (node === undefined ? undefined : waveStep(node, patienceMs));
    if (node === undefined || step === undefined) continue;
    compiled.push({
      id,
      name: step.name,
      phase,
      unit: step.unit,
      kind: step.kind,
      input: step.input,
      after: node.after,
      layer: layers.get(id) ?? 0,
      timeoutMs:
        step.timeout === undefined ? (step.kind.timeoutMs ?? defaultTimeout) : parseDuration(step.timeout),
      retries: step.retries ?? 0,
      wave: node.wave?.name,
      from: originOf(step),
      summary: step.kind.summary?.(step.input) ?? step.kind.kind,
    });
  }
  return compiled;
}

/** A wave's gates may hold as long as the gates of their phase. */
function waveStep(node: Node, patienceMs: number): Step | undefined {
  if (node.wave === undefined) return undefined;
  const { name } = node.wave;
  return { name: `wave:${name}`, kind: waveGateKind(node.wave), input: null, timeout: patienceMs };
}
