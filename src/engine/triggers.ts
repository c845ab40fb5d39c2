import type { Trigger } from "../plan/index.ts";
import type { RunEvent } from "../store/index.ts";
import type { Desk } from "./desk.ts";
import { rearmedAt, rearmName } from "./continuation.ts";
import { rollbackEvents } from "./incidents.ts";
import type { Judgement } from "./judges.ts";
import { lastVerdict, verdictEvents } from "./records.ts";
import { runTransition } from "./transitions.ts";

/**
 * The armed triggers of a run. One look judges all that are armed in the phase in hand and acts on those whose
 * verdict became "fail" with it. A trigger that has failed acts once; it acts again after its verdict left
 * "fail", or after a person continued the run, which starts its evidence anew.
 */
export class Triggers {
  readonly #desk: Desk;
  #throttledBy: string | undefined;

  constructor(desk: Desk) {
    this.#desk = desk;
    const throttling = desk.graph.compiled.triggers.find(
      (trigger) => trigger.action === "throttle" && this.#failed(trigger),
    );
    this.#throttledBy = throttling?.name;
  }

  get throttledBy(): string | undefined {
    return this.#throttledBy;
  }

  /** Judges what is armed while `phase` is in hand. Stops early when a trigger started a rollback. */
  async look(phase: string, signal: AbortSignal): Promise<void> {
    const { memory, graph, journal } = this.#desk;
    for (const trigger of graph.compiled.triggers) {
      if (trigger.phases !== undefined && !trigger.phases.includes(phase)) continue;
      const judgement = await this.#judge(trigger, phase, signal);
      const armed = memory.state === "RUNNING" || memory.state === "HOLDING" || memory.state === "PAUSED";
      if (signal.aborted || journal.closed !== undefined || !armed) return;
      await this.#record(trigger, phase, judgement);
    }
  }

  async #judge(trigger: Trigger, phase: string, signal: AbortSignal): Promise<Judgement> {
    const { memory, judges, live, settings } = this.#desk;
    const since = rearmedAt(memory, rearmName("trigger", trigger.name)) ?? memory.createdAt;
    const look = { key: `trigger\n${trigger.name}`, since, signal };
    const judgement = await judges.evaluate(trigger.condition, look);
    const shown = { gate: trigger.name, role: "trigger", ...judgement.verdict, phase };
    live.setVerdict({ ...shown, at: settings.clock.now() });
    return judgement;
  }

  #failed(trigger: Trigger): boolean {
    return lastVerdict(this.#desk.memory, { gate: trigger.name, role: "trigger" })?.verdict === "fail";
  }

  async #record(trigger: Trigger, phase: string, { verdict, evidence }: Judgement): Promise<void> {
    const desk = this.#desk;
    const failedBefore = this.#failed(trigger);
    const given = verdictEvents(desk.memory, { gate: trigger.name, role: "trigger", verdict, evidence });
    if (verdict.kind === "fail" && !failedBefore) {
      desk.settings.log.warn(`trigger ${trigger.name}: ${trigger.action}, ${verdict.reason}`, { phase });
      desk.fault("engine.trigger.before-incident");
      const { name, action } = trigger;
      const fired: RunEvent = {
        type: "trigger.fired",
        data: { trigger: name, action, reason: verdict.reason, phase },
      };
      await desk.journal.write(...given, fired, ...this.#act(trigger, phase, { verdict, evidence }));
      desk.fault("engine.trigger.after-incident");
      return;
    }
    const lifted = verdict.kind !== "fail" && this.#throttledBy === trigger.name;
    if (lifted) this.#throttledBy = undefined;
    const note: RunEvent = {
      type: "note.added",
      data: { by: `trigger ${trigger.name}`, text: `throttle lifted: ${verdict.reason}` },
    };
    await desk.journal.write(...given, ...(lifted ? [note] : []));
    if (lifted) desk.wake();
  }

  #act(trigger: Trigger, phase: string, { verdict, evidence }: Judgement): readonly RunEvent[] {
    const { memory, standing } = this.#desk;
    const reason = `${trigger.name}: ${verdict.reason}`;
    const by = `trigger ${trigger.name}`;
    switch (trigger.action) {
      case "alert":
        return [{ type: "note.added", data: { by, text: reason, facts: { phase } } }];
      case "pause":
        return memory.state === "PAUSED" ? [] : [runTransition(memory, "pause", { reason, by })];
      case "throttle":
        this.#throttledBy ??= trigger.name;
        return [];
      case "rollback": {
        const seen = { trigger: trigger.name, phase, ...evidence };
        return rollbackEvents(standing, { cause: "trigger", summary: reason, seen });
      }
    }
  }
}
