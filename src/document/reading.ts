import type { Block } from "./block.ts";
import type { Claim, Sureness } from "./finding.ts";
import { type Context, Draft, type Growing, oneLine, put, slug } from "./draft.ts";
import type { PhaseFinding, UnitFinding } from "./work-finding.ts";

/** What counts as a phase in a plan whose headings do not say "phase". */
export type Mode = "named" | "periods" | "container" | "numbered";

/** What is told of a phase or unit, wherever it stands. */
export interface Told {
  readonly title: string;
  readonly number?: string;
  readonly text: string;
  readonly line: number;
  readonly endLine?: number;
  readonly sureness: Sureness;
  readonly why: string;
  readonly claim?: Claim;
  /** A heading defines; tables, charts and lists mention. */
  readonly defines: boolean;
}

/** One document in the middle of being read: its draft, and what its parts have in common. */
export class Reading {
  readonly draft: Draft;
  readonly mode: Mode;
  title = "";
  /** Titles of phases that an earlier reading found in tables, charts or data: headings of this name are the same phases. */
  readonly expected: ReadonlySet<string>;
  /** Reads what stands below an item. Handed in, because the walk imports the readers. */
  below: (blocks: readonly Block[], context: Context) => void = () => undefined;
  readonly #defined: Set<string> = new Set();

  constructor(draft: Draft, mode: Mode, expected: ReadonlySet<string> = new Set()) {
    this.expected = expected;
    this.draft = draft;
    this.mode = mode;
  }

  get phases(): Growing<PhaseFinding>[] {
    return this.draft.lists.phases;
  }

  get units(): Growing<UnitFinding>[] {
    return this.draft.lists.units;
  }

  /**
   * The phase that is meant: the one with this number or title, else a new one. Two headings that give one number to
   * different titles make two phases and a defect: which of them counts is for a person to say.
   */
  phase(told: Told, context: Context): Growing<PhaseFinding> {
    const found = this.findPhase(told);
    if (found !== undefined) {
      const same =
        slug(found.title) === slug(told.title) || told.title === told.text || found.title === found.text;
      const first = this.#defined.has(found.key);
      if (!told.defines || !first || same) {
        this.#join(found, told, context);
        return found;
      }
      const message = `phase ${told.number ?? ""} is "${found.title}" on line ${found.place.line} and "${told.title}" on line ${told.line}`;
      this.defect(message, told, context);
    }
    return this.#newPhase(told, context);
  }

  findPhase(told: Pick<Told, "number" | "title">): Growing<PhaseFinding> | undefined {
    const wanted = slug(told.title);
    const named = this.#phasesBy.get(wanted);
    if (told.number === undefined) return named;
    const counted = this.#phasesBy.get(`#${told.number.toLowerCase()}`);
    // A number that two headings give to different titles: the title decides.
    if (named !== undefined && named.number?.toLowerCase() === told.number.toLowerCase()) return named;
    return counted ?? (named?.number === undefined ? named : undefined);
  }

  /** By the slug of the title and by `#number`; the first to have one keeps it. */
  readonly #phasesBy: Map<string, Growing<PhaseFinding>> = new Map();

  #index(phase: Growing<PhaseFinding>): void {
    for (const name of [
      slug(phase.title),
      ...(phase.number === undefined ? [] : [`#${phase.number.toLowerCase()}`]),
    ]) {
      if (!this.#phasesBy.has(name)) this.#phasesBy.set(name, phase);
    }
  }

  #join(phase: Growing<PhaseFinding>, told: Told, context: Context): void {
    const place = this.draft.place(told.line, told.endLine);
    this.draft.tell(told.line, told.endLine);
    const defining = told.defines && !this.#defined.has(phase.key);
    if (defining) {
      this.#defined.add(phase.key);
      (phase.also as unknown[]).unshift(place);
      phase.place = place;
      phase.text = oneLine(told.text);
      phase.sureness = told.sureness;
      phase.why = told.why;
      if (told.title !== told.text) {
        phase.title = told.title;
        const name = nameFrom(told.title);
        if (name !== phase.name) phase.name = this.#free(name);
      }
      this.#index(phase);
      if (context.section !== undefined) phase.within = { section: context.section.key };
    } else (phase.also as unknown[]).push(place);
    if (told.claim !== undefined) phase.claim ??= told.claim;
  }

  #newPhase(told: Told, context: Context): Growing<PhaseFinding> {
    const key = this.draft.key("phase", told.number ?? told.title);
    const name = this.#free(nameFrom(told.title));
    const phase = this.draft.add(
      "phases",
      "phase",
      told,
      context,
      {
        name,
        title: told.title,
        ...(told.number === undefined ? {} : { number: told.number }),
        order: this.phases.length + 1,
        ...(told.claim === undefined ? {} : { claim: told.claim }),
        durations: [],
        calendar: [],
        after: [],
        also: [this.draft.place(told.line, told.endLine)],
      },
      key,
    );
    if (told.defines) this.#defined.add(key);
    this.#index(phase);
    return phase;
  }

  /** The unit of this name, else a new one. */
  unit(
    told: Told & { readonly order?: number; readonly priority?: string },
    context: Context,
  ): Growing<UnitFinding> {
    const found = this.#unitsBy.get(slug(told.title));
    if (found !== undefined) {
      (found.also as unknown[]).push(this.draft.place(told.line, told.endLine));
      this.draft.tell(told.line, told.endLine);
      if (told.claim !== undefined) found.claim ??= told.claim;
      if (told.order !== undefined) found.order ??= told.order;
      if (told.priority !== undefined) found.priority ??= told.priority;
      return found;
    }
    const { order, priority, claim } = told;
    const unit = this.draft.add(
      "units",
      "unit",
      told,
      context,
      {
        name: told.title,
        ...(order === undefined ? {} : { order }),
        after: [],
        dependsOn: [],
        ...(priority === undefined ? {} : { priority }),
        glob: /[*?]|\{[^}]*,/.test(told.title),
        ...(claim === undefined ? {} : { claim }),
        also: [this.draft.place(told.line, told.endLine)],
      },
      this.draft.key("unit", told.title),
    );
    this.#unitsBy.set(slug(told.title), unit);
    return unit;
  }

  readonly #unitsBy: Map<string, Growing<UnitFinding>> = new Map();

  defect(
    message: string,
    at: { readonly line: number; readonly endLine?: number; readonly text: string },
    context: Context,
  ): void {
    const said = { ...at, sureness: "certain", why: "contradiction or broken notation" } as const;
    this.draft.add("defects", "defect", said, context, { message });
  }

  #free(base: string): string {
    const count = (this.#phaseNames.get(base) ?? 0) + 1;
    this.#phaseNames.set(base, count);
    return count === 1 ? base : this.#free(`${base}-${count}`);
  }

  readonly #phaseNames: Map<string, number> = new Map();

  /** A step in the order it is met; names are unique beside each other. */
  step(told: Told & { readonly order: number }, context: Context): NonNullable<Context["step"]> {
    const home = homeOf(context);
    this.#steps.set(home, (this.#steps.get(home) ?? 0) + 1);
    const base = nameFrom(told.title);
    const count = (this.#names.get(`${home} ${base}`) ?? 0) + 1;
    this.#names.set(`${home} ${base}`, count);
    const step = this.draft.add("steps", "step", told, context, {
      name: count === 1 ? base : `${base}-${count}`,
      title: told.title,
      ...(told.number === undefined ? {} : { number: told.number }),
      order: told.order,
      ...(told.claim === undefined ? {} : { claim: told.claim }),
      after: [],
      way: context.way,
      commands: [],
    });
    return step;
  }

  readonly #names: Map<string, number> = new Map();
  readonly #steps: Map<string, number> = new Map();

  /** How many steps the phase or unit has so far. */
  stepsIn(context: Context): number {
    return this.#steps.get(homeOf(context)) ?? 0;
  }

  /** Says of a phase, unit or step that it waits for another. */
  waits(one: { after: readonly string[] }, other: { readonly key: string }): void {
    put(one.after, other.key);
  }
}

/** A name for code: the first 60 letters of the title, brackets left out where something else is there. */
function nameFrom(title: string): string {
  const bare = title.replace(/\s*[(（][^()（）]*[)）]/gu, "").trim();
  const name = slug(bare === "" ? title : bare)
    .replace(/[<>=%.]+/g, "-")
    .replace(/-+/g, "-")
    .replace(/^-|-$/g, "");
  return name === "" ? "unnamed" : name;
}

const homeOf = ({ phase, unit }: Context): string => `${phase?.key ?? ""} ${unit?.key ?? ""}`;
