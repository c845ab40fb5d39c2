import { randomBytes } from "node:crypto";
import {
  addDigests,
  chooseCollections,
  digestText,
  emptyDigest,
  leavesOf,
  newSeed,
  readSeed,
  rowHash,
  seedText,
} from "../../data/index.ts";
import { plural } from "../../report/index.ts";
import type { Command } from "../command.ts";
import {
  collectionOption,
  collectionsOf,
  openReader,
  requireSublevels,
  wordsOf,
} from "../data/open-address.ts";
import { Progress } from "../progress.ts";
import { span } from "../draw/line.ts";
import { pad, textWidth } from "../draw/text-width.ts";

const usage = "data digest ADDRESS [--seed HEX] [--collection NAME,…]";

export const command: Command = {
  usage,
  help: [
    "One number for all rows of a store, by one scan: count, sum of the hashes of rows, sum of the hashes of keys. Two stores with the same rows have the same digest under the same seed: give the seed that one printed to the other, when they are on machines that do not reach each other.",
  ],
  options: {
    ...collectionOption,
    seed: { type: "string", value: "HEX", help: "seed of the hashes (default a new one)" },
  },
  words: 1,
  async run(context) {
    const [address = ""] = wordsOf(context, usage, ["the address of a store"]);
    const text = context.args.text("seed");
    const hash = await rowHash(text === undefined ? newSeed(randomBytes) : readSeed(text));
    const { collections = [] } = collectionsOf(context);
    await using store = await openReader(address, collectionsOf(context).collections);
    await requireSublevels(address, store, collections);
    await using moment = await store.snapshot?.();
    const reader = moment ?? store;
    const chosen = await chooseCollections(reader, collectionsOf(context).collections);
    using progress = new Progress(context);
    const found: { name: string; rows: number; leaves: number; digest: string }[] = [];
    let whole = emptyDigest;
    for (const { name, rows } of chosen) {
      progress.part(name === "" ? "read" : name, rows);
      let [digest, leaves] = [emptyDigest, 0];
      const options = {
        hash,
        signal: context.interrupted,
        onRead: (read: number, bytes: number) => progress.add(read, bytes),
      };
      for await (const leaf of leavesOf(reader, { collection: name }, options)) {
        digest = addDigests(digest, leaf);
        leaves++;
      }
      whole = addDigests(whole, digest);
      found.push({ name, rows: digest.count, leaves, digest: digestText(digest) });
    }
    progress[Symbol.dispose]();
    const seed = seedText(hash.seed);
    if (context.json) {
      context.terminal.json({
        store: reader.name,
        seed,
        rows: whole.count,
        digest: digestText(whole),
        collections: found,
      });
      return 0;
    }
    const width = Math.max(5, ...found.map(({ name }) => textWidth(name)));
    if (found.length > 1)
      for (const { name, rows, digest } of found)
        context.terminal.line([
          span(`  ${pad(name, width)}  `, "bold"),
          span(`${digest}  ${plural(rows, "row")}`),
        ]);
    context.terminal.line([
      span(`  ${pad("all", width)}  `, "bold"),
      span(`${digestText(whole)}  ${plural(whole.count, "row")} · seed ${seed}`),
    ]);
    return 0;
  },
};
