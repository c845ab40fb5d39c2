import { count } from "../../report/index.ts";
import type { Command } from "../command.ts";
import { openReader, wordsOf } from "../data/open-address.ts";
import { bytesText } from "../draw/data-lines.ts";
import { span } from "../draw/line.ts";
import { pad, textWidth } from "../draw/text-width.ts";

const usage = "data ls ADDRESS";

export const command: Command = {
  usage,
  help: [
    "Lists what a store or backup holds: tables or parts, about how many rows and bytes, and what cannot be moved.",
  ],
  options: {},
  words: 1,
  async run(context) {
    const [address = ""] = wordsOf(context, usage, ["the address of a store"]);
    await using reader = await openReader(address);
    const collections = await reader.collections();
    if (context.json) {
      context.terminal.json({ store: reader.name, collections });
      return 0;
    }
    if (collections.length === 0) context.terminal.line("nothing in it");
    const width = Math.max(0, ...collections.map(({ name }) => textWidth(name)));
    for (const { name, rows, bytes, problem } of collections) {
      const words = [
        rows === undefined ? "rows not counted" : `about ${count(rows)} rows`,
        ...(bytes === undefined ? [] : [bytesText(bytes)]),
      ];
      context.terminal.line([
        span(`  ${pad(name === "" ? "(all)" : name, Math.max(5, width))}  `, "bold"),
        span(words.join(" · ")),
        ...(problem === undefined ? [] : [span(`  ✖ ${problem}`, "bad")]),
      ]);
    }
    return 0;
  },
};
