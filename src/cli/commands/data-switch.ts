import { CutoverError, type JsonObject } from "../../core/index.ts";
import { fileSwitch, type Standing } from "../../data/index.ts";
import type { Command, CommandContext } from "../command.ts";
import { wordsOf } from "../data/open-address.ts";
import { reasonOf, reasonOption } from "../decide.ts";
import { span } from "../draw/line.ts";

const usage = "data switch DIR";
const scheme = "file:";
/** As a cutover does: three above the standing, which no lift that comes late can open. */
const further = 3;

export const command: Command = {
  usage,
  help: [
    "Tells which side of the data is in charge, since when and by whom, from a switch in a folder: the DIR of `file:DIR` in a migration.",
    "With --turn a person decides. It copies nothing and waits for nobody: what only the side that is left has stays there. It is for a side that is lost; otherwise roll the run back, which loses nothing. Resume the run afterwards: it lifts the side that is in charge now.",
  ],
  options: {
    turn: { type: "string", value: "SIDE", help: "old or new: this side is in charge from now on" },
    ...reasonOption,
  },
  words: 1,
  async run(context) {
    const [given = ""] = wordsOf(context, usage, ["the folder of a switch"]);
    const folder = given.startsWith(scheme) ? given.slice(scheme.length) : given;
    const side = sideOf(context);
    if (side !== undefined) await turn(context, folder, side);
    const sw = fileSwitch(folder);
    const history = await sw.history();
    const { side: inCharge, epoch } = await sw.read();
    if (context.json) {
      const decisions = history.map((each): JsonObject => ({ ...each }));
      context.terminal.json({ switch: sw.name, side: inCharge, epoch, history: decisions });
      return 0;
    }
    context.terminal.line([
      span(`${inCharge} side`, "bold"),
      span(epoch === 0 ? " is in charge: nobody has turned the switch yet" : ` is in charge, epoch ${epoch}`),
    ]);
    for (const each of history)
      context.terminal.line([
        span(`  ${new Date(each.at).toISOString()}  `, "dim"),
        span(`${each.side}, epoch ${each.epoch}`),
        span(each.by === undefined ? "" : `  ${each.by}`, "dim"),
      ]);
    return 0;
  },
};

function sideOf({ args }: CommandContext): Standing["side"] | undefined {
  const side = args.text("turn");
  if (side === undefined && args.text("reason") !== undefined)
    throw new CutoverError("CUTOVER_CLI_USAGE", {
      message: "expected --reason together with --turn: looking at a switch decides nothing",
    });
  if (side === undefined || side === "old" || side === "new") return side;
  throw new CutoverError("CUTOVER_CLI_USAGE", {
    message: `--turn: expected old or new, found ${JSON.stringify(side)}`,
    remedy: 'write --turn old --reason "…"',
  });
}

async function turn(context: CommandContext, folder: string, side: Standing["side"]): Promise<void> {
  const by = `${context.by}: ${reasonOf(context, "data switch")}`;
  const sw = fileSwitch(folder, { by });
  const now = await sw.read();
  if (now.side === side) {
    if (!context.json) context.terminal.line(`the ${side} side is in charge already; nothing was turned`);
    return;
  }
  await sw.turn({ side, epoch: now.epoch + further });
}
