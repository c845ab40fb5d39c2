import { CutoverError, type ErrorCode, errorCatalog, type JsonObject } from "../core/index.ts";

/** One thing wrong with a definition. */
export interface Problem {
  readonly code: ErrorCode;
  /** Expected and found, in one sentence. */
  readonly message: string;
  /** Inside the definition, e.g. `phases[2] "move" › steps[1] "verify"`. */
  readonly place: string;
  /** `file:line` of the call that made the part, where a stack could be had. */
  readonly at?: string | undefined;
  /** Default: the catalogue's remedy of the code. */
  readonly remedy?: string | undefined;
  /** Facts for programs, e.g. the path of a cycle. */
  readonly facts?: JsonObject | undefined;
}

/**
 * All problems of a definition as one error. The first gives code, message, place and remedy; `details.problems`
 * lists every one in the order of the definition, and the message names the others too, so that a plain
 * `node crossing.ts` shows them as well.
 */
export function problemsError(problems: readonly [Problem, ...Problem[]]): CutoverError {
  const [first, ...rest] = problems;
  const others = rest.map((problem) => `\n  ${problem.code}  ${problem.message}\n    in ${whole(problem)}`);
  const more =
    rest.length === 0 ? "" : `\n${rest.length} more ${rest.length === 1 ? "problem" : "problems"}:`;
  return new CutoverError(first.code, {
    message: first.message + more + others.join(""),
    place: whole(first),
    remedy: remedyOf(first),
    details: {
      ...first.facts,
      problems: problems.map((problem) => ({
        code: problem.code,
        message: problem.message,
        place: problem.place,
        at: problem.at,
        remedy: remedyOf(problem),
        ...(problem.facts === undefined ? {} : { facts: problem.facts }),
      })),
    },
  });
}

const remedyOf = (problem: Problem): string => problem.remedy ?? errorCatalog[problem.code].remedy;

const whole = (problem: Problem): string =>
  problem.at === undefined ? problem.place : `${problem.place} (${problem.at})`;
