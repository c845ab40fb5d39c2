import type {
  Approval,
  Check,
  Contingency,
  PlanDocument,
  Risk,
  Step,
  Trigger,
  WaveInput,
} from "./definition.ts";
import type { GateSpec } from "./gate-spec.ts";

/** A definition that was read and found whole: defaults filled in, names resolved, frozen. Made by `defineMigration`. */
export interface Migration {
  /** Tells a migration from any other default export, also one of another copy of the package. */
  readonly type: "migration";
  readonly name: string;
  readonly title: string | undefined;
  readonly units: readonly Unit[];
  readonly waves: readonly WaveInput[];
  readonly phases: readonly MigrationPhase[];
  readonly triggers: readonly Trigger[];
  readonly verifyOld: readonly Check[];
  readonly success: readonly GateSpec[];
  readonly risks: readonly Risk[];
  readonly contingencies: readonly Contingency[];
  readonly schedule: { readonly start?: string; readonly end?: string } | undefined;
  /** Not covered by the hash: a corrected letter in the document changes nothing that runs. */
  readonly document: PlanDocument | undefined;
}

export interface Unit {
  readonly name: string;
  readonly title: string | undefined;
  readonly priority: string | undefined;
  readonly after: readonly string[];
  readonly effortMs: number | undefined;
}

export interface MigrationPhase {
  readonly name: string;
  readonly title: string | undefined;
  readonly after: readonly string[];
  /** Units it moves: the named ones, or all of the migration. */
  readonly units: readonly string[];
  readonly entry: readonly Check[];
  /** In the order written; steps of a list per unit carry their unit. */
  readonly steps: readonly Step[];
  readonly exit: readonly GateSpec[];
  readonly approval: Approval | undefined;
  readonly forwardOnly: boolean;
  readonly wayBack: readonly Check[];
  readonly patienceMs: number;
}

/** True for a value made by `defineMigration`. */
export function isMigration(value: unknown): value is Migration {
  return typeof value === "object" && value !== null && (value as { type?: unknown }).type === "migration";
}
