import { type Duration, parseDuration } from "../core/index.ts";
import type { GateJudges } from "../engine/index.ts";
import type { Trigger } from "../plan/index.ts";
import { type PlayedCondition, playedCondition } from "./playable.ts";

export interface Firing {
  readonly at: number;
  readonly trigger: string;
  readonly action: Trigger["action"];
  readonly reason: string;
}

interface Armed {
  readonly trigger: Trigger;
  readonly condition: PlayedCondition;
  /** Evidence starts here. */
  since: number;
  /** Since when the verdict is bad, or good: what decides about debounce and recovery. */
  bad: number | undefined;
  good: number | undefined;
  firedAt: number;
  standing: boolean;
}

/**
 * The triggers of a simulated run. Their verdicts come from the judges of real runs; when they fire and recover follows
 * the rules of the engine: debounce, cooldown, recovery, and evidence that begins anew after a firing.
 */
export class Alarms {
  readonly #armed: readonly Armed[];
  readonly #judges: GateJudges;

  constructor(triggers: readonly Trigger[], judges: GateJudges, now: number) {
    this.#judges = judges;
    this.#armed = triggers.flatMap((trigger) => {
      const condition = playedCondition(trigger.condition);
      const fresh = {
        since: now,
        bad: undefined,
        good: undefined,
        firedAt: Number.NEGATIVE_INFINITY,
        standing: false,
      };
      return condition === undefined ? [] : [{ trigger, condition, ...fresh }];
    });
  }

  /** Whether a trigger that stands lets no share rise. */
  get holds(): boolean {
    return this.#armed.some(
      ({ standing, trigger: { action } }) => standing && (action === "hold" || action === "throttle"),
    );
  }

  /** What fires now, in the order of the definition. */
  async look(phase: string, now: number, signal: AbortSignal): Promise<readonly Firing[]> {
    const firings: Firing[] = [];
    for (const armed of this.#armed) {
      const { trigger, condition, since } = armed;
      if (trigger.phases !== undefined && !trigger.phases.includes(phase)) {
        armed.standing = false;
        continue;
      }
      const look = { key: `trigger\n${trigger.name}`, since, signal };
      const { verdict } = await this.#judges.evaluate(condition, look);
      if (this.#fires(armed, verdict.kind, now))
        firings.push({ at: now, trigger: trigger.name, action: trigger.action, reason: verdict.reason });
    }
    return firings;
  }

  #fires(armed: Armed, kind: "pass" | "fail" | "hold", now: number): boolean {
    const { trigger } = armed;
    armed.bad = kind === "fail" ? (armed.bad ?? now) : undefined;
    armed.good = kind === "pass" ? (armed.good ?? now) : undefined;
    if (armed.standing) {
      if (armed.good !== undefined && now - armed.good >= ms(trigger.recover)) {
        armed.standing = false;
        armed.since = now;
        armed.good = undefined;
      }
      return false;
    }
    if (armed.bad === undefined || now - armed.bad < ms(trigger.for)) return false;
    if (now - armed.firedAt < ms(trigger.cooldown)) return false;
    armed.firedAt = now;
    armed.since = now;
    armed.standing = true;
    armed.bad = undefined;
    return true;
  }
}

const ms = (duration: Duration | undefined): number => (duration === undefined ? 0 : parseDuration(duration));
