import { CutoverError, type Json } from "../../core/index.ts";
import type { WorkOrder } from "./in-process.ts";
import type { ProgramOutput } from "./subprocess.ts";

/** What is done with the output of a program, wherever it ran. */
export interface OutcomeSettings {
  /** Most bytes kept of each of stdout and stderr. */
  readonly output: number;
  readonly fatalExitCodes: readonly number[];
  readonly result: ((output: ProgramOutput, order: WorkOrder) => Json) | undefined;
}

/** How a program ended. */
export interface ProgramEnd {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The last of what it wrote, where errors stand. */
export function outputEnds({ stdout, stderr }: ProgramEnd): {
  readonly stdout: string;
  readonly stderr: string;
} {
  return { stdout: stdout.slice(-2_000), stderr: stderr.slice(-2_000) };
}

/**
 * Its result when it ended with 0.
 * @throws CUTOVER_ORDER_FAILED for every other end
 */
export function programResult(
  name: string,
  end: ProgramEnd,
  order: WorkOrder,
  settings: OutcomeSettings,
): Json {
  const { code, signal, stdout, stderr } = end;
  if (code === 0) {
    const output = { exitCode: code, stdout, stderr };
    return settings.result?.(output, order) ?? output;
  }
  const fatal = code !== null && settings.fatalExitCodes.includes(code);
  throw new CutoverError("CUTOVER_ORDER_FAILED", {
    message:
      code === null ? `${name} was ended by ${signal ?? "a signal"}` : `${name} ended with exit code ${code}`,
    details: { exitCode: code, signal, ...outputEnds(end), ...(fatal ? { class: "fatal" } : {}) },
  });
}
