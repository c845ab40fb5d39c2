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

/** The help page of one command. */
export function commandPage(name: string, command: Command, summary: string): readonly Line[] {
  const options = Object.entries({ ...command.options, ...everyCommand });
  const width = Math.max(...options.map(([name, option]) => optionText(name, option).length)) + 2;
  return [
    [span(`usage: cutover ${command.usage}`, "bold"), span("   "), span(summary)],
    ...command.help.flatMap((paragraph): readonly Line[] => [
      [],
      ...wrap(paragraph, 78).map((text) => [span(text)]),
    ]),
    ...partLines(name),
    [],
    ...options.map(([name, option]): Line => [
      span(`  ${pad(optionText(name, option), width)}`, "bold"),
      span(option.help),
    ]),
  ];
}

/** The commands that a command is made of, e.g. `queue ls`. */
function partLines(name: string): readonly Line[] {
  const parts = Object.entries(commands).filter(([each]) => each.startsWith(`${name} `));
  if (parts.length === 0) return [];
  return [
    [],
    ...parts.map(([part, { summary }]): Line => [span(`  ${pad(part, 16)}`, "bold"), span(summary)]),
    [],
    [span(`  cutover help ${name} WORD`, "bold"), span("   options of one of them")],
  ];
}

const optionText = (name: string, option: OptionSpec): string =>
  `${option.short === undefined ? "" : `-${option.short}, `}--${name}${option.value === undefined ? "" : ` ${option.value}`}`;
