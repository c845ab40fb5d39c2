import type { JsonObject } from "../core/index.ts";
import type { Claim, FindingBase, Place } from "./finding.ts";

/** What a heading is about. `other` when none of the known words stands in it. */
export type SectionRole =
  | "phase"
  | "step"
  | "unit"
  | "overview"
  | "order"
  | "checklist"
  | "criteria"
  | "thresholds"
  | "rollback"
  | "mapping"
  | "timeline"
  | "risks"
  | "mitigations"
  | "contingency"
  | "reports"
  | "roles"
  | "testing"
  | "cleanup"
  | "ramp"
  | "goal"
  | "files"
  | "other";

/** One heading, also one made of bold text alone (`**Verification:**`) or of a term of plain text. */
export interface SectionFinding extends FindingBase<"section"> {
  /** 1…6 for headings; 7 for a bold line that acts as one. */
  readonly level: number;
  /** Its number as written, without the last dot: `3.1`, `IV`, `2`. */
  readonly number?: string;
  /** The heading without number and role word: `Parallel Implementation (Non-Breaking)`. */
  readonly title: string;
  readonly role: SectionRole;
  /** Text of all headings above it, outermost first. */
  readonly path: readonly string[];
}

/** A stretch of the migration. Phases that are told in several places (heading, table, Gantt, YAML) are one finding. */
export interface PhaseFinding extends FindingBase<"phase"> {
  /** Kebab-case and unique among phases: `parallel-implementation`. */
  readonly name: string;
  readonly title: string;
  /** As written: `1`, `2a`, `IV`. */
  readonly number?: string;
  /** From 1, in the order of the plan (numbers first, then the order of the document). */
  readonly order: number;
  readonly goal?: string;
  readonly claim?: Claim;
  /** Keys of `durations` and `calendar` that speak of this phase. */
  readonly durations: readonly string[];
  readonly calendar: readonly string[];
  /** Which units it moves, as written (`16-40 (P2-P3 systems)`). */
  readonly scope?: string;
  /** What the plan says about going back; `forwardOnly` when it says that there is no way back. */
  readonly wayBack?: { readonly text: string; readonly forwardOnly: boolean };
  /** Keys of phases that the plan says come before it, beyond the order. */
  readonly after: readonly string[];
  /** All places that speak of it, the defining one first. */
  readonly also: readonly Place[];
}

/** One thing that is moved: a package, a module, a system, a class of systems. */
export interface UnitFinding extends FindingBase<"unit"> {
  readonly name: string;
  /** From 1 where the plan orders units, else absent. */
  readonly order?: number;
  /** Keys of units it needs first; `dependsOn` are the words that say so, also those that name no known unit. */
  readonly after: readonly string[];
  readonly dependsOn: readonly string[];
  /** `P0`, `high`: the class it stands in. */
  readonly priority?: string;
  /** Its name is a pattern for many: `data_processing_*`. */
  readonly glob: boolean;
  /** How many systems it stands for, where the plan counts them. */
  readonly count?: number;
  /** Key of its `effort`. */
  readonly effort?: string;
  readonly claim?: Claim;
  readonly also: readonly Place[];
}

/** A wave or priority class, with what belongs to it. */
export interface WaveFinding extends FindingBase<"wave"> {
  readonly name: string;
  /** Keys of units. */
  readonly units: readonly string[];
  readonly note?: string;
}

/** One thing to do. */
export interface StepFinding extends FindingBase<"step"> {
  /** Kebab-case, unique inside its phase (or unit, where there is no phase). */
  readonly name: string;
  readonly title: string;
  readonly number?: string;
  /** Position among the steps beside it, from 1. */
  readonly order: number;
  readonly claim?: Claim;
  /** Keys of steps it waits for, beyond the order. */
  readonly after: readonly string[];
  /** `rollback` for a step of the way back. */
  readonly way: "forward" | "rollback";
  /** Keys of its commands. */
  readonly commands: readonly string[];
}

/** A task that is ticked or can be: `- [ ]`, `☑`, `✅ tests pass`, a method or key of a checklist in code. */
export interface CheckFinding extends FindingBase<"check"> {
  /** Null where the notation has no tick (a struct or dictionary used as a checklist). */
  readonly ticked: boolean | null;
  /** `[x]`, `✅`; empty where there is none. */
  readonly mark: string;
  /** What it guards, by the heading above: before the phase, at its end, the whole migration. */
  readonly guards: "entry" | "exit" | "success" | "cleanup" | "task";
  /** Commands in backticks inside the text. */
  readonly mentions: readonly string[];
  /** Keys of thresholds in the text. */
  readonly thresholds: readonly string[];
}

/** A sentence the result is measured by, whether or not it can be ticked. */
export interface CriterionFinding extends FindingBase<"criterion"> {
  /** Key of the check it also is. */
  readonly check?: string;
  readonly thresholds: readonly string[];
}

/** Things in an order the plan asks for, from a list or a picture. */
export interface OrderFinding extends FindingBase<"order"> {
  readonly title: string;
  readonly from: "list" | "picture";
  readonly way: "forward" | "rollback";
  readonly items: readonly {
    /** Key of the unit, step or phase it names, where one is known. */
    readonly finding?: string;
    readonly text: string;
    /** Positions (from 0) in this order that it waits for. Empty: nothing. */
    readonly after: readonly number[];
    /** Words after "depends on", each; what could not be matched stays here only. */
    readonly dependsOn: readonly string[];
    readonly place: Place;
  }[];
}

/** One old thing and what becomes of it. A side that the plan leaves empty, or calls none, is null. */
export interface MappingFinding extends FindingBase<"mapping"> {
  /** Same for all pairs of one table, list or dictionary. */
  readonly group: string;
  readonly old: string | null;
  readonly new: string | null;
  readonly about: "value" | "function" | "file" | "type" | "setting" | "other";
  /** Further cells of the row by their heading, e.g. the file of each function. */
  readonly columns: JsonObject;
}

/** A command as written. It was never run, and nothing here runs it. */
export interface CommandFinding extends FindingBase<"command"> {
  /** The whole logical line, continuations joined; `text` is the same. */
  readonly shell: string;
  /** Null when a shell is needed to understand it (pipes, redirections, globs, variables). */
  readonly argv: readonly string[] | null;
  readonly language: string;
  /** As far as `cd` in the same block tells; relative to wherever the plan begins. Null when unknown. */
  readonly cwd: string | null;
  /** Comment above or behind it. */
  readonly note?: string;
  /** Files of the project it calls: `./scripts/compare.sh`. */
  readonly scripts: readonly string[];
  /** What it would change or destroy; empty for what only looks, as far as can be told. */
  readonly dangers: readonly Danger[];
  /** Placeholders a person has to fill in: `<commit>`. */
  readonly blanks: readonly string[];
}

export interface Danger {
  readonly kind:
    "deletes" | "overwrites" | "moves" | "rewrites-history" | "remote" | "privileged" | "downloads-and-runs";
  /** Nothing in the command itself can bring back what it destroys. */
  readonly irreversible: boolean;
  readonly why: string;
}

/** What to do in an emergency, in order. */
export interface ContingencyFinding extends FindingBase<"contingency"> {
  readonly name: string;
  readonly steps: readonly { readonly text: string; readonly place: Place }[];
}
