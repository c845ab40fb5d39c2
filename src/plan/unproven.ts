import { CutoverError, type JsonObject } from "../core/index.ts";
import type { Check, CheckContext, CheckResult } from "./definition.ts";
import type { CustomGate, Verdict } from "./gate-spec.ts";
import type { StepContext, StepOutcome } from "./step-kind.ts";

/** Sorts of evidence that can take the place of something unproven. */
export type EvidenceSort = "command" | "metric" | "data" | "approval";

export interface UnprovenOptions {
  /** Where it was written down, e.g. `PLAN.md:31`. */
  readonly from?: string;
  /** What would settle it. Default: any sort of evidence. */
  readonly by?: readonly EvidenceSort[];
  /** As a step: steps of the same phase that come before. Default: the step listed before. */
  readonly after?: readonly string[];
  /** As a step: the unit it belongs to. */
  readonly unit?: string;
}

/** Every sort, with how a person would say it. */
const sorts: Readonly<Record<EvidenceSort, string>> = {
  command: "a command",
  metric: "a metric",
  data: "a data check",
  approval: "an approval",
};

/**
 * Something a plan claims or asks for, and nobody has said yet how it is shown. It stands wherever proof belongs: as a check
 * (`entry: [unproven("backup taken")]`), as a gate (`exit: [unproven("zero data loss")]`) and as a step
 * (`step("deploy", unproven("deploy the new processors"))`). `plan` lists it, `run` holds there and says what
 * kind of evidence would settle it; `cutover bind` puts that evidence in its place.
 */
export class Unproven implements Check, CustomGate {
  // Members stand on the prototype: a check, a gate and a step each read theirs, and none finds members it does not know.
  readonly #text: string;
  readonly #options: UnprovenOptions;

  constructor(text: string, options: UnprovenOptions) {
    this.#text = text;
    this.#options = options;
  }

  get name(): string {
    return this.#text;
  }

  get summary(): string {
    return `${this.#text} (unproven)`;
  }

  get type(): "custom" {
    return "custom";
  }

  get from(): string | undefined {
    return this.#options.from;
  }

  get by(): readonly EvidenceSort[] {
    return this.#options.by ?? (Object.keys(sorts) as EvidenceSort[]);
  }

  get after(): readonly string[] | undefined {
    return this.#options.after;
  }

  get unit(): string | undefined {
    return this.#options.unit;
  }

  /** As a check it answers "no", as a step it holds. */
  get run(): (context: CheckContext | StepContext) => CheckResult & JsonObject {
    return () => {
      throw this.#error();
    };
  }

  /** As a step after a crash: it did nothing, and still nobody knows how it is shown. */
  get verify(): () => StepOutcome {
    return () => ({ kind: "unknown", reason: this.missing, code: "CUTOVER_STEP_UNPROVEN" });
  }

  get collect(): () => JsonObject {
    const { from } = this.#options;
    return () => ({ unproven: this.#text, settledBy: [...this.by], ...(from === undefined ? {} : { from }) });
  }

  get judge(): (evidence: JsonObject) => Verdict {
    return () => ({ kind: "hold", reason: this.missing });
  }

  /** What is missing, in one line. */
  get missing(): string {
    const { from } = this.#options;
    const words = this.by.map((sort) => sorts[sort]);
    const list = words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
    return `not proven${from === undefined ? "" : ` (${from})`}: ${list} would settle it, see \`cutover bind\``;
  }

  #error(): CutoverError {
    return new CutoverError("CUTOVER_STEP_UNPROVEN", {
      message: this.missing,
      details: { text: this.#text, settledBy: [...this.by] },
    });
  }
}

/**
 * Marks what has no proof yet; see `Unproven`.
 * @throws CUTOVER_PLAN_INVALID for an empty text and for a sort of evidence that does not exist.
 */
export function unproven(text: string, options: UnprovenOptions = {}): Unproven {
  const refuse = (message: string, remedy: string): never => {
    throw new CutoverError("CUTOVER_PLAN_INVALID", { message, remedy, place: "unproven" });
  };
  if (typeof text !== "string" || text.trim() === "")
    refuse("expected unproven() to name what has no proof, found no text", 'write unproven("backup taken")');
  for (const key of Object.keys(options))
    if (!["from", "by", "after", "unit"].includes(key))
      refuse(`unproven() knows no \`${key}\``, "it knows `from`, `by`, `after` and `unit`");
  const by: unknown = options.by ?? [];
  if (!Array.isArray(by) || by.some((sort) => !Object.hasOwn(sorts, sort as string)))
    refuse(
      `expected \`by\` to be a list of ${Object.keys(sorts).join(", ")}`,
      'write by: ["command"], or leave it out',
    );
  if (Array.isArray(options.by) && options.by.length === 0)
    refuse("expected `by` to name a sort of evidence, found an empty list", "leave `by` out for any sort");
  return new Unproven(text, options);
}

/** Whether nobody has said yet how this check or gate is shown: time alone never settles it. */
export const isUnproven = (item: object): boolean => item instanceof Unproven;
