import type { LostTail } from "../store/index.ts";
import type { Admission } from "./capacity.ts";
import type { MemoryReading } from "./memory.ts";
import type { QueueFinding } from "./findings.ts";
import type { QueueSettings } from "./settings.ts";
import { formatSize } from "./size.ts";

/**
 * Why a queue is not simply fine: what stands in the way of all of it, as `cutover queue stats` says it too, and what holds
 * of this process alone. `code` is stable, `message` for people.
 */
export interface HealthReason {
  readonly code:
    | QueueFinding["code"]
    | "stopped"
    | "store"
    | "memory-warning"
    | "memory-critical"
    | "memory-configured"
    | "memory-unread"
    | "depth"
    | "no-handlers"
    | "orphans"
    | "left-behind"
    | "heartbeat"
    | "lost-events";
  readonly message: string;
}

export interface QueueHealth {
  /** `ok`; `warning`: works with less, or not as configured; `critical`: starts nothing. */
  readonly status: "ok" | "warning" | "critical";
  readonly reasons: readonly HealthReason[];
  readonly slots: { readonly total: number; readonly admitted: number; readonly used: number };
  readonly memory: MemoryReading & { readonly share: number };
  readonly depth: { readonly unfinished: number; readonly limit: number };
}

export interface HealthInput {
  readonly settings: Pick<QueueSettings, "slots" | "memoryPerSlot" | "warning" | "critical" | "depth">;
  readonly admission: Admission;
  readonly memory: MemoryReading;
  /** Why that is not what the queue's own `memory.read` says. */
  readonly memoryTrouble: string | undefined;
  readonly unfinished: number;
  readonly usedSlots: number;
  readonly handlers: number;
  /** Work that could not be ended and still runs here, beyond the slots. */
  readonly leftBehind: number;
  /** What the record tells of the queue as a whole. */
  readonly findings: readonly QueueFinding[];
  readonly stopped: boolean;
  readonly trouble: string | undefined;
  /** Orders of dead workers that no provider has looked for yet, or whose work it could not end. */
  readonly waitingOrphans: number;
  /** What a provider said that could not. */
  readonly orphanTrouble: string | undefined;
  /** Why nobody watches over the heartbeats. */
  readonly heartbeatTrouble: string | undefined;
  /** What the database does not have any more of what was committed to it. */
  readonly lostTail: LostTail | undefined;
}

const critical: ReadonlySet<HealthReason["code"]> = new Set(["stopped", "store", "memory-critical"]);

/** Pure: what the figures mean. */
export function judgeHealth(input: HealthInput): QueueHealth {
  const { settings, admission, memory } = input;
  const reasons: HealthReason[] = [];
  const say = (code: HealthReason["code"], message: string): void => void reasons.push({ code, message });
  const share = `${Math.round(admission.share * 100)} % of ${formatSize(memory.limit)} in use (${memory.source})`;
  const configured = settings.slots * settings.memoryPerSlot;
  const full = input.unfinished / settings.depth;

  if (input.stopped) say("stopped", "the queue was stopped");
  if (input.trouble !== undefined) say("store", `work cannot be claimed: ${input.trouble}`);
  if (admission.level === "critical") say("memory-critical", `${share}; nothing is started`);
  if (admission.level === "warning") {
    say("memory-warning", `${share}; ${admission.slots} of ${settings.slots} slots are given out`);
  }
  if (configured > memory.limit) {
    say(
      "memory-configured",
      `${formatSize(configured)} are configured, the machine has ${formatSize(memory.limit)}; lower slots or memoryPerSlot`,
    );
  }
  if (input.memoryTrouble !== undefined) {
    say("memory-unread", `${input.memoryTrouble}; the memory of the machine is used instead`);
  }
  if (full >= settings.warning) {
    say(
      "depth",
      `${input.unfinished.toLocaleString("en")} orders of at most ${settings.depth.toLocaleString("en")} are unfinished`,
    );
  }
  for (const { code, message } of input.findings) say(code, message);
  if (input.heartbeatTrouble !== undefined) {
    say("heartbeat", `work that blocks its thread can lose its claim: ${input.heartbeatTrouble}`);
  }
  if (input.lostTail !== undefined && input.lostTail.missing !== null) {
    const { head, missing, at } = input.lostTail;
    say(
      "lost-events",
      `the database does not have event ${missing}, which this process had committed; its log ended at ${head} on ${new Date(at).toISOString()}. It was restored, or failed over to a server that never got the last commits: orders and results among them are gone`,
    );
  }
  if (input.handlers === 0 && input.unfinished > 0) say("no-handlers", "no work() was registered here");
  if (input.leftBehind > 0) {
    const some = input.leftBehind === 1 ? "1 piece" : `${input.leftBehind} pieces`;
    say("left-behind", `${some} of work could not be ended and still run here, beyond the slots`);
  }
  if (input.waitingOrphans > 0) {
    say(
      "orphans",
      `${input.waitingOrphans} orders of a dead worker wait for the sandbox that can look for them${
        input.orphanTrouble === undefined ? "" : `: ${input.orphanTrouble}`
      }`,
    );
  }
  return {
    status:
      reasons.some(({ code }) => critical.has(code)) ||
      input.findings.some(({ level }) => level === "critical")
        ? "critical"
        : reasons.length > 0
          ? "warning"
          : "ok",
    reasons,
    slots: { total: settings.slots, admitted: admission.slots, used: input.usedSlots },
    memory: { ...memory, share: admission.share },
    depth: { unfinished: input.unfinished, limit: settings.depth },
  };
}
