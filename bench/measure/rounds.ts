/** Measuring side by side: every subject once per round, in random order, so that noise of the machine hits all alike. */
export interface Subject {
  readonly name: string;
  /** Runs `calls` calls; resolves when all their consequences are over. */
  readonly run: (calls: number) => Promise<void>;
}

export interface Sample {
  /** Processor time of the whole process per call, nanoseconds: user and system, garbage collection included. */
  readonly cpu: number;
  /** Wall-clock time per call, nanoseconds. */
  readonly wall: number;
}

/** Samples of one subject, one per round. */
export type Series = readonly Sample[];

/** Unmeasured rounds first (2 unless told otherwise): code that is not compiled yet says nothing. */
export async function measureRounds(
  subjects: readonly Subject[],
  options: { readonly rounds: number; readonly calls: number; readonly warmUp?: number },
): Promise<ReadonlyMap<string, Series>> {
  const series = new Map<string, Sample[]>(subjects.map(({ name }) => [name, []]));
  for (let round = -(options.warmUp ?? 2); round < options.rounds; round++) {
    for (const subject of shuffled(subjects)) {
      const sample = await measure(subject, options.calls);
      if (round >= 0) series.get(subject.name)?.push(sample);
    }
  }
  return series;
}

async function measure(subject: Subject, calls: number): Promise<Sample> {
  const cpuBefore = process.cpuUsage();
  const before = process.hrtime.bigint();
  await subject.run(calls);
  const wall = Number(process.hrtime.bigint() - before) / calls;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { cpu: ((user + system) * 1_000) / calls, wall };
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

export interface Spread {
  readonly median: number;
  /** First and third quartile. */
  readonly low: number;
  readonly high: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}

/** Round by round, what `series` costs above `base`. */
export function above(series: Series, base: Series, read: (sample: Sample) => number): readonly number[] {
  return series.map((sample, round) => read(sample) - read(base[round] ?? sample));
}
