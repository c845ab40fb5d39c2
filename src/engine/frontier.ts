import type { CompiledPhase, CompiledStep } from "../plan/index.ts";
import type { StepState } from "../store/index.ts";

/**
 * Which steps of a phase may start next: those whose predecessors are all done, in topological order. Kept up to
 * date step by step, so that a phase of 10,000 steps costs each of them a constant amount.
 */
export class Frontier {
  readonly #phase: CompiledPhase;
  readonly #position: ReadonlyMap<string, number>;
  readonly #followers: ReadonlyMap<string, readonly number[]>;
  readonly #waiting: number[];
  /** Positions, ascending. */
  readonly #ready: number[] = [];

  constructor(phase: CompiledPhase, stateOf: (step: string) => StepState, held: (step: string) => boolean) {
    this.#phase = phase;
    this.#position = new Map(phase.steps.map(({ id }, position) => [id, position]));
    const followers = new Map<string, number[]>();
    this.#waiting = phase.steps.map((step, position) => {
      let left = 0;
      for (const before of step.after) {
        if (stateOf(before) === "DONE") continue;
        left++;
        const known = followers.get(before);
        if (known === undefined) followers.set(before, [position]);
        else known.push(position);
      }
      return left;
    });
    this.#followers = followers;
    for (const [position, step] of phase.steps.entries()) {
      const state = stateOf(step.id);
      const open = state === "PENDING" || state === "RUNNING" || state === "FAILED";
      if (open && this.#waiting[position] === 0 && !held(step.id)) this.#ready.push(position);
    }
  }

  /** Tells that a step is done: those that waited for it alone become ready. */
  done(step: string): void {
    for (const position of this.#followers.get(step) ?? []) {
      const left = (this.#waiting[position] ?? 0) - 1;
      this.#waiting[position] = left;
      if (left === 0) this.#insert(position);
    }
  }

  /** Puts a step back that was taken and may start again. */
  putBack(step: string): void {
    const position = this.#position.get(step);
    if (position !== undefined && !this.#ready.includes(position)) this.#insert(position);
  }

  /** Takes up to `count` ready steps out, earliest first. */
  take(count: number): readonly CompiledStep[] {
    return this.#ready.splice(0, Math.max(0, count)).flatMap((position) => this.#phase.steps[position] ?? []);
  }

  #insert(position: number): void {
    let low = 0;
    let high = this.#ready.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ready[middle] ?? 0) < position) low = middle + 1;
      else high = middle;
    }
    this.#ready.splice(low, 0, position);
  }
}
