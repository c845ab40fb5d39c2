import {
  canonicalJson,
  type Duration,
  errorCatalog,
  type Json,
  type JsonObject,
  nameOneOf,
  parseDuration,
} from "../../core/index.ts";
import {
  gateProblems,
  type GateSpec,
  gateToJson,
  metricGates,
  readerText,
  type Step,
  type StepProblem,
} from "../../plan/index.ts";

/** What every step of this room takes besides its own options. */
export interface StepPlacement {
  /** Name in its phase. Default: the kind. */
  readonly name?: string;
  /** Steps of the same phase that come before. Default: the step listed before. */
  readonly after?: readonly string[];
  readonly unit?: string;
  /** How long it takes, for `cutover plan`. */
  readonly estimate?: Duration;
}

/** Options of every step, for `unknownIn`. */
const placements: Readonly<Record<keyof StepPlacement, true>> = {
  name: true,
  after: true,
  unit: true,
  estimate: true,
};

/**
 * Names of options that the step does not know, as the member `unknown` of its input, where validation refuses them with
 * their place: a builder never throws. A gate given as `gate` to a step that wants `until` would judge nothing.
 */
export function unknownIn(options: unknown, known: Readonly<Record<string, true>>): string[] | undefined {
  if (options === undefined) return undefined;
  if (typeof options !== "object" || options === null || Array.isArray(options)) return ["options"];
  const names = Object.keys(options).filter(
    (name) => !Object.hasOwn(known, name) && !Object.hasOwn(placements, name),
  );
  return names.length === 0 ? undefined : names;
}

/** Options as plain JavaScript may leave them: what is no object holds none, and is refused by `unknownIn`. */
export const optionsOf = <T extends object>(options: T | undefined): T =>
  typeof options === "object" && options !== null ? options : ({} as T);

export function placement(kind: string, options: StepPlacement): Pick<Step, "name" | "after" | "unit"> {
  const { name = kind, after, unit } = options;
  return { name, ...(after === undefined ? {} : { after }), ...(unit === undefined ? {} : { unit }) };
}

/** A duration of a step's input in milliseconds; validation has refused unreadable ones before. */
export function ms(value: Duration): number {
  try {
    return parseDuration(value);
  } catch {
    return Number.NaN;
  }
}

/** Without members that are undefined, so that what was left out is not in the hash. */
export function given(members: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([, member]) => member !== undefined));
}

/** A gate as text for the definition's hash, its functions by their source. */
export function gateText(gate: GateSpec): string {
  if (gate.type === "custom") return `${gate.name} ${String(gate.collect)} ${String(gate.judge)}`;
  const readers = metricGates(gate).map(readerText).join("\n");
  return canonicalJson(gateToJson(gate)) + readers;
}

/** Everything wrong with the gates that a step judges itself: a run would find it only where it is judged. */
export const stepGateProblems = (gates: readonly GateSpec[], option: string): readonly StepProblem[] =>
  gates
    .flatMap((gate) => gateProblems(gate, option))
    .map(({ message, remedy = errorCatalog.CUTOVER_GATE_INPUT.remedy }) => ({
      message,
      remedy,
      place: option,
    }));

/** Collects what is wrong with an input. */
export class Problems {
  readonly list: StepProblem[] = [];

  add(place: string, expected: string, found: unknown, remedy: string): void {
    this.list.push({
      message: `expected "${place}" to be ${expected}, found ${found === undefined ? "nothing" : JSON.stringify(found)}`,
      remedy,
      place,
    });
  }

  /** @param found what `unknownIn` gave */
  unknown(found: Json | undefined, known: Readonly<Record<string, true>>): void {
    if (!Array.isArray(found)) return;
    const names = [...Object.keys(known), ...Object.keys(placements)];
    for (const name of found as readonly string[])
      this.list.push({
        message: name === "options" ? "expected the options to be an object" : `the step knows no "${name}"`,
        remedy: nameOneOf(name, names, `remove "${name}": it would do nothing`),
        place: name,
      });
  }

  route(found: Json | undefined): void {
    // As `route()` takes them: no application could declare another, and the step would wait for it.
    if (typeof found === "string" && /^[\w.:/@-]{1,200}$/.test(found)) return;
    this.add(
      "route",
      "the name of a route: 1 to 200 letters, digits and . _ : / @ -",
      found,
      'name it as the application does, e.g. "queue.submit"',
    );
  }

  duration(place: string, found: Json | undefined): void {
    if (found === undefined || Number.isFinite(ms(found as Duration))) return;
    this.add(place, "a duration", found, 'write a number with a unit: ms, s, m, h or d, for example "10m"');
  }

  otherwise(found: Json | undefined): void {
    if (found === undefined || found === "fail" || found === "ask") return;
    this.add(
      "otherwise",
      '"fail" or "ask"',
      found,
      '"ask" holds the run and asks a person once patience is over',
    );
  }

  count(place: string, found: Json | undefined): void {
    if (found === undefined || (Number.isSafeInteger(found) && (found as number) >= 0)) return;
    this.add(place, "a whole number from 0", found, "say how many are enough");
  }
}
