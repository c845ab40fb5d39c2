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

const size = 1n << 128n;

/**
 * Reads all of a store. It takes keys and values apart by itself, text by text: nothing of the map (`layout.ts`), of what copies or of
 * what verifies has a part in it, so that it would see a mistake of theirs.
 */
export async function holdingsOf(reader: Reader): Promise<Holdings> {
  let [memories, others, sum] = [0, 0, 0n];
  for await (const batch of reader.scan({ collection: "" }))
    for (const { key, value } of batch) {
      const said = wordsOf(Buffer.from(key).toString("utf8"), Buffer.from(value).toString("utf8"));
      if (said === undefined) others++;
      else {
        memories++;
        sum += BigInt(`0x${hash("sha256", said).slice(0, 32)}`);
      }
    }
  return { memories, digest: (sum % size).toString(16).padStart(32, "0"), others };
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
function wordsOf(key: string, value: string): string | undefined {
  const [, layer, id] = oldKey.exec(key) ?? [];
  if (layer !== undefined) {
    const [, write, at, kind, rest] = oldValue.exec(value) ?? [];
    return write === undefined ? undefined : [`${layer} ${kind}`, id, write, at, rest].join("\n");
  }
  const [, number, home, name] = newKey.exec(key) ?? [];
  const [, write, at, rest] = newValue.exec(value) ?? [];
  const lives = homes[`${number}/${home}`];
  return write === undefined || lives === undefined ? undefined : [lives, name, write, at, rest].join("\n");
}
