/** One of the queues that are measured, with the settings named in the tables; lives in a process of its own. */
export interface Side {
  /** Stores one job; durable, as far as this side goes, when the promise resolves. */
  submit(payload: Payload): Promise<unknown>;
  /** Stores all of them in one call. */
  submitMany(payloads: readonly Payload[]): Promise<unknown>;
  /** Starts a worker that calls `handler` once a job and does nothing else. */
  work(handler: (payload: Payload) => void): Promise<void>;
  /** Ends the worker; jobs can be submitted still. */
  rest(): Promise<void>;
  /** True when the store holds no job that is not finished. */
  isDone(): Promise<boolean>;
  close(): Promise<void>;
}

/** About 200 bytes of JSON. */
export interface Payload {
  readonly n: number;
  /** When it was handed to the side: milliseconds of the machine's monotonic clock, the same in all processes. */
  readonly at: number;
  readonly account: string;
  readonly text: string;
}

export function newPayload(n: number): Payload {
  return { n, at: monotonic(), account: `account-${n % 1_000}`, text: "x".repeat(130) };
}

/** Milliseconds of a clock that all processes of the machine share. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Where a side keeps its jobs and how it is set up. Crosses from one process to another as JSON. */
export interface SideSpec {
  /** File in `sides/`. */
  readonly kind: "cutover" | "graphile" | "pg-boss" | "bullmq" | "insert";
  /** What the tables call it. */
  readonly name: string;
  /** `postgres://…`, `redis://…` or `sqlite:…` */
  readonly where: string;
  readonly settings: Readonly<Record<string, unknown>>;
}
