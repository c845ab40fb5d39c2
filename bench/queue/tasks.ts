/** What is done with a side inside its process. Every task says what it measured in one flat object. */
import { monotonic, newPayload, type Payload, type Side } from "./side.ts";

/** Bounds every wait of a task: a side that stands still must not hold the others up for ever. */
const patienceMs = 300_000;
const batch = 1_000;

export interface Tasks {
  /** Submits one by one, so many callers at the same time, each waiting for its answer. */
  submit(options: { readonly count: number; readonly callers: number }): Promise<{ perSecond: number }>;
  /** Submits in calls of a thousand, one after another. */
  submitMany(options: { readonly count: number }): Promise<{ perSecond: number }>;
  /** Stores jobs to be done later; not measured. */
  fill(options: { readonly count: number }): Promise<object>;
  /** Does all that is stored; from the first start until the store says that nothing is left. */
  drain(options: { readonly count: number }): Promise<{ perSecond: number; cpuMicros: number }>;
  /** Does the first `count` of what is stored; from start to start. */
  drainSome(options: { readonly count: number }): Promise<{ perSecond: number }>;
  /** Submits and does at the same time; from the first submit until nothing is left. */
  flow(options: { readonly count: number; readonly callers: number }): Promise<{ perSecond: number }>;
  /** Starts a worker that shares the work with others, from zero. */
  help(options: object): Promise<object>;
  /** How many jobs it has started, and when the last of them; milliseconds of the machine's clock. */
  helped(options: object): Promise<{ started: number; last: number }>;
  /** Ends the worker. */
  rest(options: object): Promise<object>;
  /** Starts a worker that notes how long each job took from submit to start. */
  listen(options: object): Promise<object>;
  /** Submits at a steady rate. */
  steady(options: { readonly perSecond: number; readonly seconds: number }): Promise<object>;
  /** Waits until `count` jobs were heard by `listen`; their times, milliseconds. */
  heard(options: { readonly count: number }): Promise<{ millis: readonly number[] }>;
  /** Share of one processor that a worker without work takes, in percent. */
  idle(options: { readonly seconds: number }): Promise<{ percent: number }>;
  close(options: object): Promise<object>;
}

export function tasksOf(side: Side): Tasks {
  let next = 0;
  const payload = (): Payload => newPayload(next++);
  const payloads = (count: number): readonly Payload[] => Array.from({ length: count }, payload);
  const millis: number[] = [];
  const help = { started: 0, last: 0 };

  const submitOneByOne = async (count: number, callers: number): Promise<void> => {
    let left = count;
    const caller = async (): Promise<void> => {
      while (left-- > 0) await side.submit(payload());
    };
    await Promise.all(Array.from({ length: callers }, caller));
  };
  const submitBatches = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left -= batch) await side.submitMany(payloads(Math.min(batch, left)));
  };
  const finish = async (): Promise<void> => {
    await until(() => side.isDone(), "the side to be done");
  };

  return {
    submit: async ({ count, callers }) => {
      const began = monotonic();
      await submitOneByOne(count, callers);
      return { perSecond: rate(count, began) };
    },
    submitMany: async ({ count }) => {
      const began = monotonic();
      await submitBatches(count);
      return { perSecond: rate(count, began) };
    },
    fill: async ({ count }) => {
      await submitBatches(count);
      return {};
    },
    drain: async ({ count }) => {
      const starts = new Starts(count);
      const cpu = process.cpuUsage();
      await side.work(() => starts.add());
      await starts.reached;
      await finish();
      const perSecond = rate(count, starts.first);
      const { user, system } = process.cpuUsage(cpu);
      await side.rest();
      return { perSecond, cpuMicros: (user + system) / count };
    },
    drainSome: async ({ count }) => {
      const starts = new Starts(count);
      await side.work(() => starts.add());
      await starts.reached;
      const perSecond = ((count - 1) * 1_000) / (starts.last - starts.first);
      await side.rest();
      return { perSecond };
    },
    flow: async ({ count, callers }) => {
      const starts = new Starts(count);
      await side.work(() => starts.add());
      const began = monotonic();
      await (callers === 0 ? submitBatches(count) : submitOneByOne(count, callers));
      await starts.reached;
      await finish();
      const perSecond = rate(count, began);
      await side.rest();
      return { perSecond };
    },
    help: async () => {
      help.started = 0;
      await side.work(() => {
        help.started++;
        help.last = monotonic();
      });
      return {};
    },
    helped: () => Promise.resolve({ ...help }),
    rest: async () => {
      await side.rest();
      return {};
    },
    listen: async () => {
      await side.work(({ at }) => millis.push(monotonic() - at));
      return {};
    },
    steady: async ({ perSecond, seconds }) => {
      const answers: Promise<unknown>[] = [];
      const began = monotonic();
      for (let i = 0; i < perSecond * seconds; i++) {
        const wait = began + (i * 1_000) / perSecond - monotonic();
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
        answers.push(side.submit(payload()));
      }
      await Promise.all(answers);
      return {};
    },
    heard: async ({ count }) => {
      await until(() => Promise.resolve(millis.length >= count), `${count} jobs to be heard`);
      return { millis: millis.splice(0) };
    },
    idle: async ({ seconds }) => {
      await side.work(() => {});
      // What comes with the start is no idling.
      await pause(3_000);
      const before = process.cpuUsage();
      await pause(seconds * 1_000);
      const { user, system } = process.cpuUsage(before);
      await side.rest();
      return { percent: ((user + system) / (seconds * 1e6)) * 100 };
    },
    close: async () => {
      await side.close();
      return {};
    },
  };
}

/** Counts starts and notes the first and the last one's time. */
class Starts {
  first = Number.NaN;
  last = Number.NaN;
  readonly reached: Promise<void>;
  readonly #count: number;
  #seen = 0;
  #resolve: () => void = () => {};

  constructor(count: number) {
    this.#count = count;
    this.reached = new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${this.#seen} of ${count} jobs were started in ${patienceMs / 1_000} s`)),
        patienceMs,
      );
      this.#resolve = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  add(): void {
    if (this.#seen === 0) this.first = monotonic();
    if (++this.#seen !== this.#count) return;
    this.last = monotonic();
    this.#resolve();
  }
}

const rate = (count: number, began: number): number => (count * 1_000) / (monotonic() - began);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const end = monotonic() + patienceMs;
  while (!(await condition())) {
    if (monotonic() > end) throw new Error(`expected ${what} within ${patienceMs / 1_000} s`);
    await pause(2);
  }
}
