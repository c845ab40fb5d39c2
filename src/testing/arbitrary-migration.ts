import fc from "fast-check";
import {
  check,
  gate,
  type GateSpec,
  type MigrationInput,
  type Phase,
  phase,
  type Step,
  step,
  type UnitInput,
  type WaveInput,
} from "../plan/index.ts";

/** What is drawn for a step; `makeStep` turns it into one. */
export interface StepShape {
  readonly name: string;
  /** Undefined: after the step listed before. */
  readonly after: readonly string[] | undefined;
  readonly retries: number;
  /** True only in forward-only phases. */
  readonly irreversible: boolean;
}

export interface ArbitraryMigrationOptions {
  /** Default 4. */
  readonly maxPhases?: number;
  /** Steps a phase, or a unit in it; default 5. */
  readonly maxSteps?: number;
  /** Default 4; 0 for definitions without units. */
  readonly maxUnits?: number;
  /** May phases be forward-only, with an approval? Default true. */
  readonly forwardOnly?: boolean;
  /** Default: a step that answers with its name and has a rollback unless it is irreversible. */
  readonly makeStep?: (shape: StepShape) => Step;
  /** Gates of waves and phases; default: one that passes at once. */
  readonly makeGate?: (name: string) => GateSpec;
}

/**
 * Random definitions that are whole: any graph of phases, steps, units and waves that validation accepts. Names are
 * short and repeat between phases. Shrinks towards one phase with one step.
 */
export function arbitraryMigration(options: ArbitraryMigrationOptions = {}): fc.Arbitrary<MigrationInput> {
  const { maxUnits = 4, maxPhases = 4 } = options;
  return arbitraryUnits(maxUnits).chain((units) =>
    fc
      .record({
        waves: units.length === 0 ? fc.constant([]) : arbitraryWaves(units, options),
        phases: arbitraryPhases(maxPhases, units, options),
      })
      .map(({ waves, phases }) => ({ name: "any-migration", units, waves, phases })),
  );
}

/** A subset of the names before each one: never a circle. */
const earlier = (names: readonly string[], index: number): fc.Arbitrary<string[]> =>
  fc.subarray(names.slice(0, index), { maxLength: Math.min(2, index) });

function arbitraryUnits(max: number): fc.Arbitrary<UnitInput[]> {
  return fc.nat({ max }).chain((count) => {
    const names = Array.from({ length: count }, (_, index) => `u${index}`);
    return fc.tuple(...names.map((name, index) => earlier(names, index).map((after) => ({ name, after }))));
  });
}

/** Units stand in an order that respects their dependencies, so every way to cut the list into stretches is legal. */
function arbitraryWaves(
  units: readonly UnitInput[],
  options: ArbitraryMigrationOptions,
): fc.Arbitrary<WaveInput[]> {
  const cuts = fc.uniqueArray(fc.integer({ min: 1, max: units.length }), { maxLength: 2 });
  return fc.tuple(fc.boolean(), cuts, fc.boolean()).map(([some, places, gated]) => {
    if (!some) return [];
    const ends = [...new Set([...places, units.length])].sort((a, b) => a - b);
    return ends.map((end, index) => ({
      name: `w${index}`,
      units: units.slice(ends[index - 1] ?? 0, end).map((unit) => unit.name),
      ...(gated ? { exit: [gateFor(`w${index} met`, options)] } : {}),
    }));
  });
}

function arbitraryPhases(
  max: number,
  units: readonly UnitInput[],
  options: ArbitraryMigrationOptions,
): fc.Arbitrary<Phase[]> {
  return fc.integer({ min: 1, max }).chain((count) => {
    const names = Array.from({ length: count }, (_, index) => `p${index}`);
    return fc.tuple(
      ...names.map((name, index) => arbitraryPhase(name, earlier(names, index), units, options)),
    );
  });
}

function arbitraryPhase(
  name: string,
  after: fc.Arbitrary<string[]>,
  units: readonly UnitInput[],
  options: ArbitraryMigrationOptions,
): fc.Arbitrary<Phase> {
  const { maxSteps = 5, forwardOnly = true, makeStep = plainStep } = options;
  return fc
    .record({
      after: fc.option(after, { nil: undefined }),
      shapes: arbitraryShapes(maxSteps),
      perUnit: units.length === 0 ? fc.constant(false) : fc.boolean(),
      final: forwardOnly ? fc.boolean() : fc.constant(false),
      checked: fc.boolean(),
      gated: fc.boolean(),
    })
    .map((drawn) => {
      const build = (): Step[] =>
        drawn.shapes.map((shape) => makeStep({ ...shape, irreversible: drawn.final && shape.irreversible }));
      const checked = drawn.checked || drawn.shapes.length === 0;
      return phase(name, {
        steps: drawn.perUnit ? build : build(),
        ...(drawn.after === undefined ? {} : { after: drawn.after }),
        ...(drawn.final ? { forwardOnly: true, approval: { by: 1 } } : {}),
        ...(checked ? { entry: [check(`${name} ready`, () => ({ ok: true, note: "ready" }))] } : {}),
        ...(drawn.gated ? { exit: [gateFor(`${name} met`, options)] } : {}),
      });
    });
}

/** Steps with an explicit `after` may stand in any order; with a default one somewhere, the order written counts. */
function arbitraryShapes(max: number): fc.Arbitrary<StepShape[]> {
  return fc.nat({ max }).chain((count) => {
    const names = Array.from({ length: count }, (_, index) => `s${index}`);
    const shapes = names.map((name, index) =>
      fc.record({
        name: fc.constant(name),
        after: fc.option(earlier(names, index), { nil: undefined }),
        retries: fc.nat({ max: 2 }),
        irreversible: fc.boolean(),
      }),
    );
    return fc
      .tuple(...shapes)
      .chain((drawn) =>
        drawn.every((shape) => shape.after !== undefined)
          ? fc.shuffledSubarray(drawn, { minLength: drawn.length })
          : fc.constant([...drawn]),
      );
  });
}

const plainStep = ({ name, after, retries, irreversible }: StepShape): Step =>
  step(name, {
    run: (context) => context.step,
    ...(after === undefined ? {} : { after }),
    ...(irreversible ? { irreversible } : { rollback: () => {} }),
    retries,
  });

const gateFor = (name: string, options: ArbitraryMigrationOptions): GateSpec =>
  options.makeGate?.(name) ??
  gate(name, { collect: () => ({ met: true }), judge: () => ({ kind: "pass", reason: "met" }) });
