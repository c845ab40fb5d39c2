import type { Command, OptionSpec } from "./command.ts";
import { commands } from "./commands.ts";
import { type Line, span } from "./draw/line.ts";
import { pad, wrap } from "./draw/text-width.ts";
import { everyCommand } from "./parse-arguments.ts";

/** What `cutover` and `cutover help` print. */
export function overview(version: string): readonly Line[] {
  return [
    [
      span("cutover", "bold"),
      span(` ${version} · replace a running system by a new one, with proof and a way back`),
    ],
    [],
    ...Object.entries(commands)
      .filter(([name]) => !name.includes(" "))
      .map(([name, { summary }]): Line => [span(`  ${pad(name, 10)}`, "bold"), span(summary)]),
    [],
    [span("  cutover help COMMAND", "bold"), span("   options of one command")],
    [span("  cutover help CODE", "bold"), span("      what an error means and what to do")],
    [],
    [span("  first steps: cutover init · cutover plan · cutover run", "dim")],
  ];
}

/** Columns that a text has at most: longer lines are hard to read. */
const widest = 78;

/** The help page of one command, in lines that fit so many columns. */
export function commandPage(
  name: string,
  command: Command,
  summary: string,
  columns: number,
): readonly Line[] {
  const options = Object.entries({ ...command.options, ...everyCommand });
  const width = Math.max(...options.map(([option, spec]) => optionText(option, spec).length)) + 2;
  const text = Math.min(widest, columns - 1);
  const usage = `usage: cutover ${command.usage}`;
  return [
    ...(usage.length + 3 + summary.length <= text
      ? [[span(usage, "bold"), span(`   ${summary}`)]]
      : [
          ...wrap(usage, text).map((line) => [span(line, "bold")]),
          ...wrap(summary, text).map((line) => [span(line)]),
        ]),
    ...command.help.flatMap((paragraph): readonly Line[] => [
      [],
      ...wrap(paragraph, text).map((line) => [span(line)]),
    ]),
    ...partLines(name, text),
    [],
    ...options.flatMap(([option, spec]) => optionLines(optionText(option, spec), spec.help, width, text)),
  ];
}

/** An option beside what it means; on a narrow terminal above it. */
function optionLines(option: string, help: string, width: number, columns: number): readonly Line[] {
  const beside = columns - width - 2 >= 24;
  const [first = "", ...rest] = wrap(help, beside ? columns - width - 2 : columns - 6);
  const under = " ".repeat(beside ? width + 2 : 6);
  const lines = rest.map((line): Line => [span(under), span(line)]);
  return beside
    ? [[span(`  ${pad(option, width)}`, "bold"), span(first)], ...lines]
    : [[span(`  ${option}`, "bold")], [span(under), span(first)], ...lines];
}

/** The commands that a command is made of, e.g. `queue ls`. */
function partLines(name: string, columns: number): readonly Line[] {
  const parts = Object.entries(commands).filter(([each]) => each.startsWith(`${name} `));
  if (parts.length === 0) return [];
  const help = `cutover help ${name} WORD`;
  return [
    [],
    ...parts.flatMap(([part, { summary }]) => optionLines(part, summary, 16, columns)),
    [],
    ...optionLines(help, "options of one of them", help.length + 3, columns),
  ];
}

const optionText = (name: string, option: OptionSpec): string =>
  `${option.short === undefined ? "" : `-${option.short}, `}--${name}${option.value === undefined ? "" : ` ${option.value}`}`;
