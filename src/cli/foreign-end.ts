import { writeSync } from "node:fs";
import { asError, type ErrorCode, visible } from "../core/index.ts";

/**
 * Notices what ends the process and is not this program's own: `process.exit` and errors that nobody waits for, of a step,
 * a definition or something they import. Both end the command in the middle, the first with whatever exit code it is given,
 * where 0 would be taken for success.
 * @returns to be called when the command has ended by itself
 */
export function noticeForeignEnd(): () => void {
  const exit = process.exit.bind(process);
  let told: (() => void) | undefined;
  const atExit = (code: number): void => {
    if (told === undefined) return;
    process.exitCode = code === 0 ? 1 : code;
    told();
  };
  const onStray = (thrown: unknown): void => {
    const error = asError(thrown);
    told = () => tellStray(error);
    exit(1);
  };
  process.once("exit", atExit);
  process.on("uncaughtException", onStray);
  process.exit = (code) => {
    const place = placeOf((new Error().stack ?? "").split("\n").slice(2));
    told ??= () =>
      tell("CUTOVER_PROCESS_EXITED", {
        text: `expected the command to end by itself, found that process.exit(${code ?? ""}) was called`,
        place,
        remedy: "let it return or throw instead",
      });
    return exit(code);
  };
  return () => {
    process.exit = exit;
    process.off("exit", atExit);
    process.off("uncaughtException", onStray);
  };
}

function tellStray(error: Error): void {
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  tell("CUTOVER_STRAY_ERROR", {
    text: `expected every error to be awaited or caught, found one that nobody waited for: ${error.message || error.name}`,
    place: placeOf(frames.filter((line) => !line.includes("node:"))),
    remedy: "await or catch it in the code that threw it",
    frames,
  });
}

function tell(
  code: ErrorCode,
  found: {
    readonly text: string;
    readonly place: string;
    readonly remedy: string;
    readonly frames?: readonly string[];
  },
): void {
  const { text, place, remedy, frames = [] } = found;
  writeSync(
    2,
    `error ${code}  ${visible(text)}\n` +
      `  in ${place}\n` +
      `  ${remedy}; what is recorded stays, \`cutover status\` says how to go on\n` +
      `  help: npx cutover help ${code}\n` +
      frames.map((frame) => `${frame}\n`).join(""),
  );
}

/** `/project/step.ts:3:12`, of the first of these lines of a stack. */
function placeOf([line = ""]: readonly string[]): string {
  return /(?:\(|at )(?:async )?(?:file:\/\/)?([^()]+?)\)?$/.exec(line.trim())?.[1] ?? "an unknown place";
}
