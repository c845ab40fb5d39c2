/** Ways of doing one thing, each once a round in random order, so that noise of the machine hits all alike. */
import { fork } from "node:child_process";
import { join } from "node:path";
import { type Spread, spread } from "../measure/rounds.ts";
import type { Peak } from "./meter.ts";
import type { Done } from "./process.ts";

/** What a process is to do: an exported function of `tasks/FILE.ts`. */
export interface Work {
  readonly file: string;
  readonly task: string;
  readonly options: Readonly<Record<string, string | number | boolean>>;
}

export type Measured = Done & Peak;

/** Does one piece of work in a process of its own. @throws with its words when it fails */
export function doWork(work: Work, flags: readonly string[] = []): Promise<Measured> {
  const child = fork(join(import.meta.dirname, "process.ts"), [JSON.stringify(work)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    execArgv: ["--conditions=cutover-source", ...flags],
  });
  return new Promise((resolve, reject) => {
    child.on("message", (answer: { readonly done: Measured } | { readonly error: string }) => {
      if ("error" in answer) reject(new Error(`${work.file} ${work.task}: ${answer.error}`));
      else resolve(answer.done);
    });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      reject(new Error(`${work.file} ${work.task} ended (${signal ?? code})`));
    });
  });
}

/** One measurement a round for each way that could be measured. */
export type Rounds = ReadonlyMap<string, readonly Measured[]>;

/** A way that fails is told of and left out, so that a missing peer spoils no run. */
export async function takeTurns(
  ways: Readonly<Record<string, (round: number) => Promise<Measured>>>,
  rounds: number,
): Promise<Rounds> {
  const found = new Map<string, Measured[]>();
  const left = new Map(Object.entries(ways));
  for (let round = 0; round < rounds; round++) {
    for (const [name, way] of shuffled([...left])) {
      try {
        found.set(name, [...(found.get(name) ?? []), await way(round)]);
      } catch (error) {
        console.log(`not measured: ${name}: ${(error as Error).message.split("\n", 2).join(" ")}`);
        left.delete(name);
        found.delete(name);
      }
    }
  }
  return new Map(
    Object.keys(ways).flatMap((name) => (found.has(name) ? [[name, found.get(name) ?? []]] : [])),
  );
}

export const perSecond = ({ rows, ms }: Measured): number => (rows / ms) * 1_000;
export const milliseconds = ({ ms }: Measured): number => ms;

export function figure(rounds: Rounds, name: string, read: (one: Measured) => number): Spread {
  return spread((rounds.get(name) ?? []).map(read));
}

/** Round by round, what `read` gives of `name` over what it gives of `base`. */
export function ratio(rounds: Rounds, name: string, base: string, read: (one: Measured) => number): Spread {
  const others = rounds.get(base) ?? [];
  return spread(
    (rounds.get(name) ?? []).map((one, at) => {
      const other = others[at];
      return other === undefined ? Number.NaN : read(one) / read(other);
    }),
  );
}

export const times = ({ median, low, high }: Spread): string =>
  `${median.toFixed(2)}× (${low.toFixed(2)}–${high.toFixed(2)})`;
export const whole = (value: number): string => Math.round(value).toLocaleString("en");
export const megabytes = (bytes: number): string => `${(bytes / 1_000_000).toFixed(0)} MB`;

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
