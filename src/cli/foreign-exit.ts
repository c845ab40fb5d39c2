import { writeSync } from "node:fs";

/**
 * Notices `process.exit` that is not this program's own: of a step, a definition or something they import. It ended the
 * command in the middle, with whatever exit code it was given: 0 would be taken for success.
 * @returns to be called when the command has ended by itself
 */
export function noticeForeignExit(): () => void {
  const exit = process.exit.bind(process);
  let caller: string | undefined;
  const tell = (code: number): void => {
    if (caller === undefined) return;
    process.exitCode = code === 0 ? 1 : code;
    writeSync(
      2,
      `error CUTOVER_PROCESS_EXITED  expected the command to end by itself, found that process.exit(${code}) was called\n` +
        `  in ${caller}\n` +
        "  let it return or throw instead; what is recorded stays, `cutover status` says how to go on\n" +
        "  help: npx cutover help CUTOVER_PROCESS_EXITED\n",
    );
  };
  process.once("exit", tell);
  process.exit = (code) => {
    caller ??= callerOf(new Error().stack ?? "");
    return exit(code);
  };
  return () => {
    process.exit = exit;
    process.off("exit", tell);
  };
}

/** `/work/step.ts:3:12`, of the first line of a stack behind this file. */
function callerOf(stack: string): string {
  const [, , line = ""] = stack.split("\n");
  return /(?:\(|at )(?:async )?(?:file:\/\/)?([^()]+?)\)?$/.exec(line.trim())?.[1] ?? "an unknown place";
}
