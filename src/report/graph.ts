import type { Json, JsonObject } from "../core/index.ts";

/**
 * The compiled graph as a run recorded it. A record outlives the program that wrote it, so this reader takes
 * what it finds and leaves out what it cannot read, instead of refusing to show a run.
 */
export interface Graph {
  /** Hash of the definition it was compiled from. */
  readonly hash: string;
  readonly title: string;
  readonly units: readonly GraphUnit[];
  readonly waves: readonly { readonly name: string; readonly units: readonly string[] }[];
  readonly phases: readonly GraphPhase[];
  readonly triggers: readonly GraphTrigger[];
}

export interface GraphUnit {
  readonly name: string;
  readonly title: string;
  readonly priority: string | null;
  readonly effortMs: number | null;
}

export interface GraphPhase {
  readonly name: string;
  readonly title: string;
  /** Units that it moves. */
  readonly units: readonly string[];
  readonly forwardOnly: boolean;
  readonly approvals: number;
  readonly approvers: readonly string[];
  readonly steps: readonly GraphStep[];
}

export interface GraphStep {
  readonly id: string;
  /** With its unit where it has one, `copy@billing`: fifty units have fifty steps of one name. */
  readonly name: string;
  readonly kind: string;
  readonly unit: string | null;
  /** The wave whose gates it judges. */
  readonly wave: string | null;
}

export interface GraphTrigger {
  readonly name: string;
  readonly action: string;
  readonly phases: readonly string[];
  /** Only a person fires it. */
  readonly manual: boolean;
  /** Nobody has said how its condition is measured. */
  readonly unproven: boolean;
}

export function readGraph(graph: JsonObject, hash: string): Graph {
  const unproven = new Set(texts(graph["unprovenTriggers"]));
  return {
    hash,
    title: text(graph["title"]),
    units: objects(graph["units"]).map((unit) => ({
      name: text(unit["name"]),
      title: text(unit["title"]),
      priority: text(unit["priority"]) || null,
      effortMs: typeof unit["effortMs"] === "number" ? unit["effortMs"] : null,
    })),
    waves: objects(graph["waves"]).map((wave) => ({ name: text(wave["name"]), units: texts(wave["units"]) })),
    phases: objects(graph["phases"]).map(readPhase),
    triggers: objects(graph["triggers"]).map((trigger) => ({
      name: text(trigger["name"]),
      action: text(trigger["action"]),
      phases: texts(trigger["phases"]),
      manual: isObject(trigger["condition"]) && trigger["condition"]["type"] === "manual",
      unproven: unproven.has(text(trigger["name"])),
    })),
  };
}

function readPhase(phase: JsonObject): GraphPhase {
  const name = text(phase["name"]);
  const approval = phase["approval"];
  return {
    name,
    title: text(phase["title"]),
    units: texts(phase["units"]),
    forwardOnly: phase["forwardOnly"] === true,
    approvals: isObject(approval) && typeof approval["by"] === "number" ? approval["by"] : 0,
    approvers: isObject(approval) ? texts(approval["from"]) : [],
    steps: objects(phase["steps"]).map((step) => {
      const id = text(step["id"]) || `${name}/${text(step["name"])}`;
      const unit = text(step["unit"]) || null;
      return {
        id,
        name: (unit === null && text(step["name"])) || id.slice(id.indexOf("/") + 1),
        kind: text(step["kind"]),
        unit,
        wave: text(step["wave"]) || null,
      };
    }),
  };
}

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const text = (value: Json | undefined): string => (typeof value === "string" ? value : "");
const list = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);
const objects = (value: Json | undefined): readonly JsonObject[] => list(value).filter(isObject);
const texts = (value: Json | undefined): readonly string[] =>
  list(value).filter((each) => typeof each === "string");
