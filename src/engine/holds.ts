import type { PhaseState, RunEvent } from "../store/index.ts";
import type { RunMemory } from "./run-memory.ts";
import { runTransition } from "./transitions.ts";

/**
 * Why a run holds. Several causes may stand at once; the run is HOLDING while there is one, and each part takes back
 * only its own. Keys: `check`, `gate`, `complete`, `no-way-back`, `unknown:<step>`, `trigger:<name>`, `asked:<step>`.
 */
export class Holds {
  readonly #causes = new Map<string, string>();

  set(key: string, reason: string): void {
    this.#causes.set(key, reason);
  }

  clear(key: string): void {
    this.#causes.delete(key);
  }

  has(key: string): boolean {
    return this.#causes.has(key);
  }

  clearAll(): void {
    this.#causes.clear();
  }

  get text(): string {
    return [...this.#causes.values()].join("; ");
  }

  /** The transition that makes the run's state agree with the causes, if one is needed. */
  events(memory: RunMemory): readonly RunEvent[] {
    const reason = this.text;
    if (reason === "") return memory.state === "HOLDING" ? [runTransition(memory, "release")] : [];
    const told = memory.state === "HOLDING" && memory.reason === reason;
    const holdable = memory.state === "RUNNING" || memory.state === "HOLDING";
    return holdable && !told ? [runTransition(memory, "hold", { reason })] : [];
  }
}

/** Which part of a phase holds a run in these states; it takes its hold back when it looks again. */
export const holdKeys: Readonly<Partial<Record<PhaseState, string>>> = {
  CHECKING: "check",
  GATING: "gate",
  AWAITING_APPROVAL: "gate",
  SEALED: "complete",
};
