/** What the load generator is told; it lies in the work folder, so that it can be started again the same way. */
export interface LoadSettings {
  /** Most orders a second. */
  readonly rate: number;
  /** It holds back while more orders than this wait in the server. */
  readonly depth: number;
  /** It stops after so many orders. */
  readonly orders: number;
  /** It stops after so many milliseconds. */
  readonly lifeMs: number;
  /** False once the crossing has ended: then nobody starts it again. */
  readonly wanted: boolean;
}

/** What one side answered, as the generator measured it. */
export interface SideReport {
  readonly answers: number;
  readonly errors: number;
  readonly p50: number;
  readonly p99: number;
}

/** Written every second and at the end. */
export interface LoadReport {
  readonly pid: number;
  readonly startedAt: number;
  readonly running: boolean;
  readonly accepted: number;
  /** 503 with `Retry-After`, waited for and asked again. */
  readonly heldBack: number;
  /** Answers 5xx other than back-pressure, and connections that broke; each was asked again. */
  readonly failed: number;
  /** Answers that do not fit what was asked, or the contract. */
  readonly wrong: number;
  readonly canceled: number;
  readonly sides: { readonly old: SideReport; readonly new: SideReport };
}
