import { hash } from "node:crypto";
import type { Reader, Standing } from "cutover/data";

/** What one side holds, whichever layout it has. */
export interface Holdings {
  readonly memories: number;
  /** Sum of a hash of each memory, modulo 2^128, in hex: equal exactly when both sides hold the same. */
  readonly digest: string;
  /** Rows that are no memories. */
  readonly others: number;
}

/** Both sides at one turn of the switch, while neither takes writes. */
export interface Witness {
  readonly to: Standing["side"];
  readonly epoch: number;
  readonly old: Holdings;
  readonly new: Holdings;
}

/** What one memory is at a turn: its name, and the number that it adds to the digest. */
export interface Seen {
  /** `layer:id`, as the old layout calls it. */
  readonly name: string;
  readonly number: bigint;
  readonly write: number;
}

const size = 1n << 128n;
export const digestText = (sum: bigint): string => (sum % size).toString(16).padStart(32, "0");

/**
 * Reads all of a store. It takes keys and values apart by itself, text by text: nothing of the map (`layout.ts`), of what copies or of
 * what verifies has a part in it, so that it would see a mistake of theirs. `note` is given all memories, batch by batch.
 */
export async function holdingsOf(
  reader: Pick<Reader, "scan">,
  note: (batch: readonly Seen[]) => Promise<void> = () => Promise.resolve(),
): Promise<Holdings> {
  let [memories, others, sum] = [0, 0, 0n];
  for await (const batch of reader.scan({ collection: "" })) {
    const seen = batch.map(memoryIn).filter((each) => each !== undefined);
    others += batch.length - seen.length;
    memories += seen.length;
    for (const { number } of seen) sum += number;
    await note(seen);
  }
  return { memories, digest: digestText(sum), others };
}

/** The memory that a row of either layout is; undefined: it is none. */
export function memoryIn({
  key,
  value,
}: {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}): Seen | undefined {
  const said = wordsOf(Buffer.from(key).toString("utf8"), Buffer.from(value).toString("utf8"));
  if (said === undefined) return undefined;
  const [lives = "", id = "", write = ""] = said;
  return {
    name: `${lives.slice(0, lives.indexOf(" "))}:${id}`,
    number: BigInt(`0x${hash("sha256", said.join("\n")).slice(0, 32)}`),
    write: Number(write),
  };
}

/** `layer:id`, with the kind in the value. */
const oldKey = /^(sensory|working|episodic|semantic|core):(.+)$/s;
const oldValue = /^\{"v":1,"write":(\d+),"at":(\d+),"kind":"(plain|dream|pattern)",("text":.*\})$/s;
/** `number/home/id`, where the home says the kind too. */
const newKey = /^(\d)\/([a-z]+)\/(.+)$/s;
const newValue = /^\{"v":2,"write":(\d+),"at":(\d+),("text":.*\})$/s;
const homes: Readonly<Record<string, string>> = {
  "1/sensory": "sensory plain",
  "2/working": "working plain",
  "3/episodic": "episodic plain",
  "4/dream": "episodic dream",
  "5/semantic": "semantic plain",
  "6/pattern": "semantic pattern",
  "7/core": "core plain",
};

/** The same words for the same memory in either layout; undefined: it is none. */
function wordsOf(key: string, value: string): readonly string[] | undefined {
  const [, layer, id] = oldKey.exec(key) ?? [];
  if (layer !== undefined) {
    const [, write, at, kind, rest] = oldValue.exec(value) ?? [];
    return write === undefined ? undefined : [`${layer} ${kind}`, id ?? "", write, at ?? "", rest ?? ""];
  }
  const [, number, home, name] = newKey.exec(key) ?? [];
  const [, write, at, rest] = newValue.exec(value) ?? [];
  const lives = homes[`${number}/${home}`];
  return write === undefined || lives === undefined
    ? undefined
    : [lives, name ?? "", write, at ?? "", rest ?? ""];
}
