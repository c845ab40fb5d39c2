/** Limits beyond which copying waits while changes are still applied. */
export interface HoldLimits {
  /** How long the oldest change may wait for being applied, milliseconds; default 10 s. */
  readonly lagMs: number;
  /** Bytes of log the source may keep for the move; default 1 GiB. Sources that cannot say are not asked. */
  readonly retainedBytes: number;
  /** The old system's own latency; absent: not looked at. */
  readonly latency?: LatencyLimit;
}

export interface LatencyLimit {
  /** Milliseconds, for example the p99 of the last seconds; undefined: not known now, which holds nothing back. */
  readonly measure: () => number | undefined | Promise<number | undefined>;
  readonly limitMs: number;
}

export const defaultHoldLimits: HoldLimits = { lagMs: 10_000, retainedBytes: 1_073_741_824 };

export interface HoldMeasures {
  readonly lagMs: number;
  readonly retainedBytes: number | undefined;
  readonly latencyMs: number | undefined;
}

/** Why no further chunk is read now; undefined: go on. */
export function holdReason(limits: HoldLimits, found: HoldMeasures): string | undefined {
  if (found.lagMs > limits.lagMs) {
    return `changes wait ${seconds(found.lagMs)} to be applied, more than ${seconds(limits.lagMs)}`;
  }
  const { retainedBytes, latencyMs } = found;
  if (retainedBytes !== undefined && retainedBytes > limits.retainedBytes) {
    return `the source keeps ${megabytes(retainedBytes)} of log, more than ${megabytes(limits.retainedBytes)}`;
  }
  if (latencyMs !== undefined && limits.latency !== undefined && latencyMs > limits.latency.limitMs) {
    return `the old system takes ${Math.round(latencyMs)} ms, more than ${limits.latency.limitMs} ms`;
  }
  return undefined;
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
const megabytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`;
