import type { MemoryReading } from "./memory.ts";
import type { QueueSettings } from "./settings.ts";

/** `ok` below the warning mark, `warning` runs fewer orders, `critical` admits none. */
export type MemoryLevel = "ok" | "warning" | "critical";

export interface Use {
  readonly slots: number;
  readonly memory: number;
}

export interface Admission {
  readonly level: MemoryLevel;
  /** Share of real memory in use, 0 … 1. */
  readonly share: number;
  /** Slots that may be in use now: all, fewer from the warning mark on, none from the critical one. */
  readonly slots: number;
  /** What an order may take now. Zero slots: admit nothing. */
  readonly free: Use;
}

type Limits = Pick<QueueSettings, "slots" | "memoryPerSlot" | "warning" | "critical">;

/**
 * What may start now. Between the marks the slots shrink in a straight line from all to one, so that
 * work gets less before it has to stop; running work is never ended for it.
 */
export function admission(limits: Limits, used: Use, reading: MemoryReading): Admission {
  const share = reading.limit > 0 ? reading.used / reading.limit : 1;
  const { warning, critical } = limits;
  const level: MemoryLevel = share >= critical ? "critical" : share >= warning ? "warning" : "ok";
  const slots =
    level === "ok"
      ? limits.slots
      : level === "critical"
        ? 0
        : Math.max(1, Math.floor((limits.slots * (critical - share)) / (critical - warning)));
  return {
    level,
    share,
    slots,
    free: {
      slots: Math.max(0, slots - used.slots),
      memory: level === "critical" ? 0 : Math.max(0, limits.slots * limits.memoryPerSlot - used.memory),
    },
  };
}
