import { relative } from "node:path";
import { asError, CutoverError, isCutoverError, type Json } from "../core/index.ts";
import { type Line, span } from "./draw/line.ts";
import { wrap } from "./draw/text-width.ts";
import type { Terminal } from "./terminal.ts";

/** Anything thrown as an error of ours; what is none is a defect and says so. */
export function toCutoverError(thrown: unknown): CutoverError {
  if (isCutoverError(thrown)) return thrown;
  const error = asError(thrown);
  return new CutoverError("CUTOVER_INTERNAL", { message: error.message, cause: error });
}

interface Shown {
  readonly code: string;
  readonly message: string;
  readonly place: string | undefined;
  readonly remedy: string;
}

/** Prints code, what was expected and found, place and remedy; of several problems each one. */
export function printError(
  terminal: Terminal,
  error: CutoverError,
  options: { readonly cwd: string; readonly trace: boolean; readonly storeFlag?: string },
): void {
  const problems = problemsOf(error).map(({ code, message, place, remedy }) => ({
    code,
    message,
    place,
    remedy: sameStore(remedy, options.storeFlag ?? ""),
  }));
  for (const problem of problems) {
    for (const line of errorLines(problem, options.cwd, terminal.columns())) terminal.aside(line);
  }
  terminal.aside([span("  help: ", "dim"), span(`npx cutover help ${error.code}`)]);
  const showTrace = options.trace || error.code === "CUTOVER_INTERNAL";
  const traced = error.cause instanceof Error ? error.cause : error;
  if (showTrace) for (const frame of (traced.stack ?? "").split("\n").slice(1)) terminal.aside(frame);
}

export function errorLines(problem: Shown, cwd: string, columns: number): readonly Line[] {
  // A path of a circle reads best on a line of its own.
  const [first = "", ...rest] = problem.message.replace(/: (?=[^\n]* → )/, "\n").split("\n");
  const head = wrap(`${problem.code}  ${first}`, columns - 6);
  const lines: Line[] = head.map((text, index) => {
    if (index > 0) return [span(`  ${text}`)];
    return [
      span("error", "bad"),
      span(" "),
      span(problem.code, "bold"),
      span(text.slice(problem.code.length)),
    ];
  });
  for (const text of rest) lines.push([span(`  ${text.trim()}`)]);
  if (problem.place !== undefined) lines.push([span(`  in ${nearer(problem.place, cwd)}`)]);
  for (const text of wrap(problem.remedy, columns - 2)) lines.push([span(`  ${text}`)]);
  return lines;
}

/** Commands in a remedy mean the store that the failed command meant; one that names it already is left as it is. */
const sameStore = (remedy: string, storeFlag: string): string =>
  remedy.replaceAll(/`cutover (?!help|init|plan|check)[^`]+`/g, (command) =>
    command.includes(" --store ") ? command : `${command.slice(0, -1)}${storeFlag}\``,
  );

/** Paths below the working folder are shown from there. */
function nearer(place: string, cwd: string): string {
  return place.replaceAll(/\/[^\s():]+/g, (path) => {
    const short = relative(cwd, path);
    return short !== "" && !short.startsWith("..") ? short : path;
  });
}

/** A definition can have many problems; each is shown with its own place and remedy. */
function problemsOf(error: CutoverError): readonly Shown[] {
  const listed: Json | undefined = error.details["problems"];
  if (!Array.isArray(listed)) return [error];
  const problems = (listed as readonly Json[]).flatMap((entry) => readProblem(entry) ?? []);
  return problems.length === 0 ? [error] : problems;
}

function readProblem(entry: Json): Shown | undefined {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return undefined;
  const { code, message, place, at, remedy } = entry as Readonly<Record<string, Json | undefined>>;
  if (typeof code !== "string" || typeof message !== "string") return undefined;
  const places = [place, at].flatMap((each) => (typeof each === "string" && each !== "" ? [each] : []));
  return {
    code,
    message,
    place: places.length === 0 ? undefined : places.join(" · "),
    remedy: typeof remedy === "string" ? remedy : "",
  };
}
