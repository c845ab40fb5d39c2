import { type Code, type CodeItem, call, list, object, text, words } from "./definition-code.ts";
import type { DefinitionSource } from "./definition-source.ts";
import { evidenceFor, type Names, slug, stepSorts, unitArgument, unprovenCode } from "./definition-words.ts";
import type { Place } from "./finding.ts";
import type { CommandFinding, StepFinding } from "./work-finding.ts";

/** A step as it will stand in a phase. */
export interface StepItem extends CodeItem {
  readonly line: number;
  /** It belongs to a unit. */
  readonly ofUnit: boolean;
  /** It cannot be taken back: its phase has to be a forward-only one. */
  readonly irreversible: boolean;
}

export interface StepOptions {
  readonly names: Names;
  readonly unit?: string | undefined;
  /** Words about what it stands in, above it. */
  readonly notes?: readonly string[];
}

/** `双写（5天）` leaves `5`, which names nothing. */
export const hasLetter = (name: string): boolean => /[a-z]/i.test(name);

/** Something to do of which nobody has said how it is shown. */
export function claimedStep(
  source: DefinitionSource,
  claim: { readonly words: string; readonly name?: string; readonly place: Place },
  options: StepOptions,
): StepItem {
  const { place } = claim;
  const said = claim.words.trim() === "" ? `line ${place.line}` : claim.words;
  const name = options.names.take(
    ...[slug(claim.name ?? said), slug(said)].filter(hasLetter),
    `step-${place.line}`,
  );
  source.told.add(place.line);
  const unproven = unprovenCode(said, {
    from: source.at(place),
    by: evidenceFor(said, stepSorts),
    ...(options.unit === undefined ? {} : { unit: options.unit }),
  });
  return {
    line: place.line,
    ofUnit: options.unit !== undefined,
    irreversible: false,
    notes: options.notes ?? [],
    code: call("step", words(name), unproven),
  };
}

export function stepItem(source: DefinitionSource, step: StepFinding, options: StepOptions): StepItem {
  const claimed = step.claim === undefined ? [] : [`Said to be ${step.claim.state} ("${step.claim.text}").`];
  // Of a row of a table the task is the claim; its other cells are told beside it.
  const row = step.text.includes(" | ") && step.title.trim() !== "";
  const beside = step.text
    .split(/ \|(?: |$)/)
    .map((cell) => cell.trim())
    .filter((cell) => /[\p{L}\p{N}]/u.test(cell) && cell !== step.title && cell !== step.claim?.text);
  const cells = row && beside.length > 0 ? [`${beside.join(" · ")}.`] : [];
  return claimedStep(
    source,
    {
      words: row || step.text.trim() === "" ? step.title : step.text,
      name: step.name,
      place: step.place,
    },
    { ...options, notes: [...(options.notes ?? []), ...cells, ...claimed] },
  );
}

/** Undefined for a change of folder alone: the commands after it carry the folder. */
export function commandItem(
  source: DefinitionSource,
  command: CommandFinding,
  options: StepOptions,
): StepItem | undefined {
  source.told.add(command.place.line);
  if (/^(cd|pushd|popd)(\s+[^;&|]*)?$/.test(command.shell.trim())) return undefined;
  const { place, shell, blanks } = command;
  const run = runnable(command);
  const irreversible = command.dangers.some((danger) => danger.irreversible);
  const notes = [
    ...(options.notes ?? []),
    ...(command.note === undefined ? [] : [command.note]),
    ...command.dangers.map(
      ({ why, irreversible }) => `Look twice: it ${why}${irreversible ? "; nothing brings that back" : ""}.`,
    ),
    ...(command.cwd === null ? ["The plan does not say in which folder."] : []),
  ];
  if (run === undefined) {
    const why =
      blanks.length > 0
        ? `Fill in ${blanks.join(", ")} first.`
        : `No shell of this tool reads ${command.language || "it"}.`;
    const claimed = claimedStep(source, { words: shell, place }, { ...options, notes: [...notes, why] });
    // Who carries it out by hand loses what it deletes all the same.
    return { ...claimed, irreversible };
  }
  const name = options.names.take(nameOf(shell), `command-${place.line}`);
  const { unit } = options;
  const code = call(
    "command",
    words(name),
    object({
      run: list(run.map(words)),
      cwd: command.cwd === null || command.cwd === "." || command.cwd === "" ? undefined : words(command.cwd),
      unit: unit === undefined ? undefined : unit === unitArgument ? text("unit") : words(unit),
      irreversible: irreversible ? text("true") : undefined,
      review: text("true"),
      from: words(source.at(place)),
    }),
  );
  return { line: place.line, ofUnit: unit !== undefined, irreversible, notes, code };
}

export const fromPlace = (source: DefinitionSource, place: Place, code: Code): Code =>
  call("from", words(source.at(place)), code);

/** The first words of a command that say what it does, options and operators left out. */
function nameOf(shell: string): string {
  const said = shell.split(/\s+/).filter((word) => !/^[-<>|&;(){}$"']/.test(word));
  return slug(said.slice(0, 5).join(" "), 50);
}

/** Words only a shell knows. */
const builtins = new Set(
  "alias bg builtin cd declare dirs eval exec exit export fg function hash jobs let local popd pushd read readonly set shift shopt source trap ulimit umask unalias unset wait . : [ [[ ! { ( if for while case until".split(
    " ",
  ),
);
const shells = new Set([
  "",
  "bash",
  "sh",
  "shell",
  "zsh",
  "ksh",
  "dash",
  "ash",
  "console",
  "shell-session",
  "terminal",
]);

/** The argument list, through a shell where one is needed; undefined for what cannot be run as it stands. */
export function runnable(command: CommandFinding): readonly string[] | undefined {
  const { argv, shell, blanks, language } = command;
  if (blanks.length > 0 || shell.trim() === "" || `${shell}${command.cwd ?? ""}`.includes("\0"))
    return undefined;
  if (!shells.has(language.toLowerCase())) return undefined;
  const first = argv?.[0] ?? "";
  if (
    argv !== null &&
    first !== "" &&
    !builtins.has(first) &&
    !first.includes("=") &&
    !argv.some((word) => word.includes("\0"))
  )
    return argv;
  const own = language.toLowerCase();
  // Braces that make several words, tests in double brackets and the like are no plain shell's.
  const more = /\{[^{}\s]*,[^{}\s]*\}|\{\d+\.\.\d+\}|\[\[|<<<|[<>]\(|&>|\|&|\bsource\s/.test(shell);
  return [ownShells.has(own) ? own : more ? "bash" : "sh", "-c", shell];
}

/** Blocks that name one of these are read by it. */
const ownShells = new Set(["bash", "zsh", "ksh", "dash", "ash"]);
