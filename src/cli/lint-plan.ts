import { resolve } from "node:path";
import { CutoverError } from "../core/index.ts";
import { plural } from "../report/index.ts";
import { gatherFacts, lintDocument, type LintFinding, readDocument, toSarif } from "../document/index.ts";
import type { CommandContext, OptionSpec } from "./command.ts";
import { type Line, span } from "./draw/line.ts";
import { readPlanBytes } from "./plan-bytes.ts";
import { readInput } from "./standard-input.ts";

/** Options of `cutover import` that belong to looking instead of writing. */
export const lintOptions: Readonly<Record<"lint" | "against" | "sarif", OptionSpec>> = {
  lint: { type: "boolean", help: "look for what usually sinks such plans; writes nothing" },
  against: {
    type: "string",
    value: "DIR",
    help: "with --lint: hold it against the real data or code in DIR",
  },
  sarif: { type: "boolean", help: "with --lint: print SARIF 2.1.0, for code hosts" },
};

/**
 * Whether looking is wanted instead of writing.
 * @throws CUTOVER_CLI_USAGE for options that would do nothing
 */
export function wantsLint(context: CommandContext): boolean {
  const { args } = context;
  const has = (option: string): boolean => args.flag(option) || args.text(option) !== undefined;
  const lint = args.flag("lint");
  const idle = (lint ? ["out", "force", "prune", "dry-run", "unplaced"] : ["against", "sarif"]).find(has);
  if (idle === undefined) return lint;
  throw new CutoverError("CUTOVER_CLI_USAGE", {
    message: lint ? `expected --lint alone, found it with --${idle}` : `expected --${idle} only with --lint`,
    remedy: lint ? `leave --${idle} out: nothing is written` : "add --lint",
  });
}

/**
 * Prints what is wrong with a written plan, and gives the exit code: 2 with errors, else 0. Writes no file. `named` is its
 * path, or `-` for the standard input.
 * @throws CUTOVER_DOCUMENT_… for what cannot be read
 */
export async function lintPlan(context: CommandContext, named: string): Promise<number> {
  const path = named === "-" ? null : named;
  const bytes = path === null ? await readInput() : await readPlanBytes(resolve(context.cwd, path), named);
  const inventory = readDocument(bytes, { file: path ?? "stdin.md" });
  const source = new TextDecoder().decode(bytes);
  const against = context.args.text("against");
  const { facts, scan } = await gatherFacts(inventory, {
    source,
    path,
    cwd: context.cwd,
    now: context.clock.now(),
    ...(against === undefined ? {} : { against }),
  });
  const findings = lintDocument(inventory, facts);
  const errors = findings.filter(({ severity }) => severity === "error").length;
  const warnings = findings.length - errors;
  const code = errors > 0 ? 2 : 0;
  const { terminal } = context;
  if (context.args.flag("sarif")) {
    terminal.json(toSarif(findings, context.version));
    return code;
  }
  if (context.json) {
    terminal.json({ file: inventory.file, hash: inventory.hash, errors, warnings, against: scan, findings });
    return code;
  }
  for (const finding of findings) for (const line of linesOf(finding)) terminal.line(line);
  for (const { file, reason } of scan?.unread ?? [])
    terminal.line([span(`  not read: ${file}: ${reason}`, "dim")]);
  const mark = errors > 0 ? span("✖", "bad") : warnings > 0 ? span("◐", "wait") : span("✔", "good");
  const told =
    findings.length === 0
      ? "nothing found that sinks such plans"
      : `${plural(errors, "error")}, ${plural(warnings, "warning")}`;
  const read = scan === null ? "" : ` · ${plural(scan.files, "file")} read in ${against ?? ""}`;
  terminal.line([mark, span(` ${inventory.file}: ${told}`), span(read, "dim")]);
  return code;
}

/** Places, at most so many a finding: the rest is in `--json`. */
const shownPlaces = 6;

function linesOf({
  rule,
  severity,
  place,
  text,
  expected,
  found,
  remedy,
  also,
}: LintFinding): readonly Line[] {
  const shown = also.slice(0, shownPlaces);
  return [
    [
      span(`${place.file}:${place.line}:${place.column}  `, "bold"),
      span(severity, severity === "error" ? "bad" : "wait"),
      span(`  ${rule}`),
      span(`  ${text.length > 60 ? `${text.slice(0, 57)}…` : text}`, "dim"),
    ],
    [span(`  expected ${expected}`)],
    [span(`  found ${found}`)],
    ...shown.map((other): Line => [span(`    ${other.file}:${other.line}  ${other.what}`, "dim")]),
    ...(also.length > shown.length
      ? [[span(`    and ${also.length - shown.length} more, see --json`, "dim")]]
      : []),
    [span(`  → ${remedy}`)],
  ];
}
