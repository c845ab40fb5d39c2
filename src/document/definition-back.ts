import { type Code, list, words } from "./definition-code.ts";
import type { DefinitionSource } from "./definition-source.ts";
import { runnable, type StepItem } from "./definition-steps.ts";
import type { CommandFinding, StepFinding } from "./work-finding.ts";

/** Work that stands under a heading about the way back, or is marked so. */
export const isWayBack = (source: DefinitionSource, work: StepFinding | CommandFinding): boolean =>
  (work.kind === "step" && work.way === "rollback") ||
  source.rolesAbove(work).some((role) => role === "rollback" || role === "contingency");

/**
 * Gives the commands of a way back to the first command of `steps`: what began first is taken back last. False when there is
 * no such step, or when the commands cannot run as they stand, or not in its folder.
 */
export function attachWayBack(steps: StepItem[], commands: readonly CommandFinding[]): boolean {
  const index = steps.findIndex(
    ({ code, irreversible }) => isCommand(code) && !irreversible && !hasRollback(code),
  );
  const step = steps[index];
  const [only, ...more] = commands.map(runnable);
  if (step === undefined || only === undefined || more.includes(undefined)) return false;
  if (commands.some(({ cwd, dangers }) => cwd !== "." || dangers.some((danger) => danger.irreversible)))
    return false;
  const joined = {
    ...(commands[0] as CommandFinding),
    argv: null,
    shell: commands.map(({ shell }) => shell).join(" && "),
  };
  const run = more.length === 0 ? only : runnable(joined);
  if (run === undefined) return false;
  if (folderOf(step.code) !== undefined) return false;
  steps[index] = { ...step, code: withRollback(step.code, run) };
  return true;
}

const isCommand = (code: Code): boolean => code.type === "call" && code.name === "command";

function memberOf(code: Code, key: string): Code | undefined {
  const options = code.type === "call" ? code.args[1] : undefined;
  return options?.type === "object" ? options.members.find((member) => member.key === key)?.code : undefined;
}

const hasRollback = (code: Code): boolean => memberOf(code, "rollback") !== undefined;
const folderOf = (code: Code): Code | undefined => memberOf(code, "cwd");

function withRollback(code: Code, run: readonly string[]): Code {
  if (code.type !== "call") return code;
  const [name, options] = code.args;
  if (name === undefined || options?.type !== "object") return code;
  const [first, ...rest] = options.members;
  const rollback = { key: "rollback", notes: [], code: list(run.map(words)) };
  const members = first === undefined ? [rollback] : [first, rollback, ...rest];
  return { ...code, args: [name, { ...options, members }] };
}
