/**
 * How one item of a definition stands. `proven`: a verdict on stored evidence says yes. `done`: a step's work ended and its
 * result is recorded. `on-word`: a person said so and no evidence does. `back`: it was so, and was taken back.
 */
export type PlanItemState =
  | "proven"
  | "done"
  | "on-word"
  | "running"
  | "holds"
  | "failed"
  | "unknown"
  | "back"
  | "open"
  | "armed"
  | "fired";

export interface PlanItem {
  /** `phase`, `entry`, `way-back`, `exit`, `success`, `step`, `trigger` or `unit`. */
  readonly role: string;
  readonly phase: string | null;
  /** Name of the check, gate or trigger; a step's id. */
  readonly name: string;
  readonly title: string;
  /** Line of the written plan that asks for it: `PLAN.md:31`; null when the definition does not say. */
  readonly from: string | null;
  readonly state: PlanItemState;
  /** One line for people; may be empty. */
  readonly note: string;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /** Positions of the events that show it, oldest first. */
  readonly events: readonly number[];
}

/** An event that an item rests on. */
export interface PlanProof {
  readonly seq: number;
  readonly at: number;
  readonly what: string;
  /** Id of the evidence that it stored or rests on; null for a change of state. */
  readonly evidence: string | null;
}
