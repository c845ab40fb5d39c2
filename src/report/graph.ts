import type { Json, JsonObject } from "../core/index.ts";

/**
 * The compiled graph as a run recorded it. A record outlives the program that wrote it, so this reader takes
 * what it finds and leaves out what it cannot read, instead of refusing to show a run.
 */
export interface Graph {
  /** Hash of the definition it was compiled from. */
  readonly hash: string;
  readonly title: string;
  readonly phases: readonly GraphPhase[];
  readonly triggers: readonly GraphTrigger[];
}

export interface GraphPhase {
  readonly name: string;
  readonly title: string;
  readonly forwardOnly: boolean;
  readonly approvals: number;
  readonly approvers: readonly string[];
  readonly steps: readonly GraphStep[];
}

export interface GraphStep {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
}

export interface GraphTrigger {
  readonly name: string;
  readonly action: string;
  readonly phases: readonly string[];
}

export function readGraph(graph: JsonObject, hash: string): Graph {
  return {
    hash,
    title: text(graph["title"]),
    phases: objects(graph["phases"]).map(readPhase),
    triggers: objects(graph["triggers"]).map((trigger) => ({
      name: text(trigger["name"]),
      action: text(trigger["action"]),
      phases: texts(trigger["phases"]),
    })),
  };
}

function readPhase(phase: JsonObject): GraphPhase {
  const name = text(phase["name"]);
  const approval = phase["approval"];
  return {
    name,
    title: text(phase["title"]),
    forwardOnly: phase["forwardOnly"] === true,
    approvals: isObject(approval) && typeof approval["by"] === "number" ? approval["by"] : 0,
    approvers: isObject(approval) ? texts(approval["from"]) : [],
    steps: objects(phase["steps"]).map((step) => {
      const id = text(step["id"]) || `${name}/${text(step["name"])}`;
      return { id, name: text(step["name"]) || id.slice(id.indexOf("/") + 1), kind: text(step["kind"]) };
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
