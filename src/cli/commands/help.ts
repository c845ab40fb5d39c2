import { CutoverError, errorCatalog, type ErrorCode, nearest } from "../../core/index.ts";
import type { Command, CommandContext } from "../command.ts";
import { commands } from "../commands.ts";
import { span } from "../draw/line.ts";
import { wrap } from "../draw/text-width.ts";
import { errorCauses } from "../error-causes.ts";
import { commandPage, overview } from "../help-pages.ts";

export const command: Command = {
  usage: "help [COMMAND | CODE]",
  help: [],
  options: {},
  words: 2,
  async run(context) {
    const topic = context.args.positionals.join(" ");
    if (topic === "") {
      if (context.json) context.terminal.json({ version: context.version, commands: summaries() });
      else for (const line of overview(context.version)) context.terminal.line(line);
      return 0;
    }
    const entry = commands[topic];
    if (entry !== undefined) {
      const { command: found } = await entry.load();
      if (context.json)
        context.terminal.json({ usage: found.usage, summary: entry.summary, options: found.options });
      else
        for (const line of commandPage(topic, found, entry.summary, context.terminal.columns()))
          context.terminal.line(line);
      return 0;
    }
    explain(context, codeOf(topic));
    return 0;
  },
};

const summaries = (): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(commands).map(([name, { summary }]) => [name, summary]));

/** A code as people type it: in any case, with or without its prefix. */
function codeOf(topic: string): ErrorCode {
  const upper = topic.toUpperCase().replaceAll("-", "_");
  const known = Object.keys(errorCatalog) as ErrorCode[];
  const code = known.find((each) => each === upper || each === `CUTOVER_${upper}`);
  if (code !== undefined) return code;
  const near = nearest(topic, [...Object.keys(commands), ...known]);
  throw new CutoverError("CUTOVER_CLI_UNKNOWN_COMMAND", {
    message: `expected a command or an error code, found ${JSON.stringify(topic.slice(0, 60))}`,
    ...(near === undefined ? {} : { remedy: `did you mean \`cutover help ${near}\`?` }),
  });
}

function explain({ terminal, json }: CommandContext, code: ErrorCode): void {
  const { exit, remedy } = errorCatalog[code];
  const cause = errorCauses[code];
  if (json) {
    terminal.json({ code, cause, remedy, exit });
    return;
  }
  terminal.line([span(code, "bold"), span(`   exit code ${exit}`, "dim")]);
  for (const [label, text] of [
    ["cause", cause],
    ["remedy", remedy],
  ] as const) {
    wrap(text, 68).forEach((part, index) =>
      terminal.line([span(`  ${(index === 0 ? label : "").padEnd(8)}`, "dim"), span(part)]),
    );
  }
}
