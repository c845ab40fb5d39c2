import { CutoverError } from "../core/index.ts";
import { claimsIn, findClaim, type WrittenClaim } from "./bind-claims.ts";
import { importedFrom, localName, withImports } from "./bind-imports.ts";
import { groupsOf, memberOf, scan } from "./bind-scan.ts";
import { tokens } from "./bind-tokens.ts";
import {
  call,
  type Code,
  columnsOf,
  comment,
  list,
  object,
  print,
  text,
  usedIn,
  words,
} from "./definition-code.ts";

/** What shows a claim from now on. */
export type Evidence =
  | { readonly sort: "command"; readonly run: readonly string[] }
  /** An expression of the tool's measures: `rate.error().below(0.001)`. */
  | { readonly sort: "metric"; readonly expression: string }
  /** A function of another module: as it is imported, and its name there. */
  | { readonly sort: "data"; readonly module: string; readonly name: string }
  | { readonly sort: "approval"; readonly by: number };

export interface Bound {
  /** The definition with the evidence in place of the claim. */
  readonly text: string;
  readonly claim: WrittenClaim;
  /** The code that took its place; empty where an approval of the phase did. */
  readonly code: string;
}

/**
 * Puts evidence in the place of the one claim that `words` mean. Pure: the rest of the text stays byte for byte, but for the
 * imports the change needs or leaves unused.
 * @throws CUTOVER_CLAIM_UNKNOWN, CUTOVER_CLAIM_AMBIGUOUS; CUTOVER_BIND_INVALID for evidence that cannot stand there.
 */
export function bindClaim(source: string, words: string, evidence: Evidence, file: string): Bound {
  const claim = findClaim(claimsIn(source, scan(source)), words, file);
  if (claim.role === "elsewhere")
    throw misfit(
      file,
      claim,
      `expected the claim in a list of checks or gates, in a step or a trigger`,
      "write unproven(…) itself where its proof belongs",
    );
  if (evidence.sort === "approval" && claim.role !== "step")
    return approved(source, claim, evidence.by, file);
  const { code, notes, imports } = codeFor(source, claim, evidence, file);
  const lineStart = source.lastIndexOf("\n", claim.start - 1) + 1;
  const before = source.slice(lineStart, claim.start);
  const indent = /^[ \t]*/.exec(before)?.[0] ?? "";
  const written = print(
    code,
    columnsOf(indent.replaceAll("\t", "  ")),
    columnsOf(before.replaceAll("\t", "  ")),
    1,
  );
  // A comment goes above the entry, which may begin before the claim: `when(unproven(…))`.
  const noteAt = source.lastIndexOf("\n", claim.part.start - 1) + 1;
  const above = /^[ \t]*$/.test(source.slice(noteAt, claim.part.start)) ? notes : [];
  const lead = above.map((note) => `${source.slice(noteAt, claim.part.start)}${comment(note)}\n`).join("");
  const edited =
    source.slice(0, noteAt) + lead + source.slice(noteAt, claim.start) + written + source.slice(claim.end);
  const used = importedFrom(source, "cutover");
  let result = withImports(
    edited,
    "cutover",
    usedIn(code).filter((name) => packageNames.has(name)),
    used,
  );
  for (const each of imports) result = withImports(result, each.door, [each.clause], new Set());
  return { text: result, claim, code: written };
}

const measures =
  "rate p50 p95 p99 memory value mean split coverage backlog allOf anyOf growth throughput failuresInARow unitsFailed behindSchedule".split(
    " ",
  );
const packageNames = new Set([
  ...measures,
  ..."from command commandCheck commandGate dataCheck dataGate dataStep byHand".split(" "),
]);

interface CodeForClaim {
  readonly code: Code;
  readonly notes: readonly string[];
  readonly imports: readonly { readonly door: string; readonly clause: string }[];
}

function codeFor(source: string, claim: WrittenClaim, evidence: Evidence, file: string): CodeForClaim {
  const { role } = claim;
  const place = claim.from === undefined ? undefined : words(claim.from);
  const step = {
    after: claim.after === undefined ? undefined : text(claim.after),
    unit: claim.unit === undefined ? undefined : text(claim.unit),
    from: place,
  };
  const named = words(role === "step" ? (claim.step ?? claim.text) : claim.text);
  const plain = (code: Code): CodeForClaim => ({ code, notes: [], imports: [] });
  switch (evidence.sort) {
    case "command": {
      const run = list(evidence.run.map(words));
      if (role === "step")
        return plain(call("command", named, object({ run, summary: words(claim.text), ...step })));
      if (role === "trigger")
        throw misfit(
          file,
          claim,
          "expected a measure for a trigger, found a command",
          "bind it by --metric or --data",
        );
      return plain(
        call(role === "check" ? "commandCheck" : "commandGate", named, object({ run, from: place })),
      );
    }
    case "metric": {
      if (role === "step" || role === "check")
        throw misfit(
          file,
          claim,
          `expected evidence for a ${role}, found a measure, which is judged over time`,
          "bind it by --command or --data, or move the claim to `exit`",
        );
      const code = text(evidence.expression, ...measuresIn(evidence.expression, file));
      if (role === "trigger") return plain(code);
      return {
        code: place === undefined ? code : call("from", place, code),
        notes: [claim.text],
        imports: [],
      };
    }
    case "data": {
      const { local, clause } = localName(source, evidence.module, evidence.name);
      const imports = [{ door: evidence.module, clause }];
      const probe = text(local);
      if (role === "step")
        return {
          code: call("dataStep", named, probe, object({ summary: words(claim.text), ...step })),
          notes: [],
          imports,
        };
      const options = place === undefined ? [] : [object({ from: place })];
      return {
        code: call(role === "check" ? "dataCheck" : "dataGate", named, probe, ...options),
        notes: [],
        imports,
      };
    }
    case "approval": {
      if (evidence.by !== 1)
        throw misfit(
          file,
          claim,
          `expected one person for a step, found ${evidence.by}`,
          "bind it with --approval 1; several approve a phase: bind a claim of its `exit`",
        );
      return plain(call("byHand", named, object({ summary: words(claim.text), ...step })));
    }
  }
}

/** Names of the package in an expression. @throws CUTOVER_BIND_INVALID for what is no single expression of measures. */
function measuresIn(expression: string, file: string): readonly string[] {
  const all = tokens(expression).filter(({ type }) => type !== "comment");
  const group = scan(expression);
  const [only, ...more] = group.parts;
  const balanced = ["()", "[]", "{}"].every(
    ([open, close]) =>
      all.filter(({ text: mark }) => mark === open).length ===
      all.filter(({ text: mark }) => mark === close).length,
  );
  const commas = all.some((token) => token.text === "," && !insideBrackets(expression, token.start));
  const begins = all[0]?.text ?? "";
  if (
    only === undefined ||
    more.length > 0 ||
    commas ||
    !balanced ||
    !measures.includes(begins) ||
    expression.includes("//")
  ) {
    throw new CutoverError("CUTOVER_BIND_INVALID", {
      message: `expected one measure of this tool, found ${JSON.stringify(expression)}`,
      place: file,
      details: { measures },
      remedy: `begin with ${measures.slice(0, 6).join(", ")} …, for example 'rate.error().below(0.001)'`,
    });
  }
  return measures.filter((name) =>
    all.some((token, index) => token.text === name && all[index - 1]?.text !== "."),
  );
}

function insideBrackets(expression: string, at: number): boolean {
  return [...groupsOf(scan(expression))].some(
    ({ open, start, end }) => open !== "" && start < at && at < end,
  );
}

/** An approval stands on the phase: the claim goes, and a person sees what was proven beside it. */
function approved(source: string, claim: WrittenClaim, by: number, file: string): Bound {
  const options = claim.around?.parts[1]?.groups[0];
  const name = claim.phase;
  if (options === undefined || name === undefined || claim.list === "wayBack" || claim.role === "trigger")
    throw misfit(
      file,
      claim,
      `expected a claim that people can approve with a phase, found one in ${claim.role === "trigger" ? "a trigger" : `\`${claim.list}\``}`,
      claim.role === "trigger"
        ? 'write manual("…") to let a person fire it'
        : "bind it by --command or --data",
    );
  const line = source.lastIndexOf("\n", claim.around?.callee?.start ?? 0) + 1;
  const indent = /^[ \t]*/.exec(source.slice(line))?.[0] ?? "";
  const note = comment(`${claim.from === undefined ? "" : `${claim.from} `}${claim.text}${onWord}`);
  const without = removal(source, claim);
  if (claim.list === "entry") {
    if (memberOf(options, "after") !== undefined)
      throw misfit(
        file,
        claim,
        "expected a phase that follows the one before it, found one with `after`",
        "write a phase of its own with `approval: { by: 1 }` before it",
      );
    const base = name.replace(/^(.{0,80}).*$/s, "$1-approved");
    let own = base;
    for (let number = 2; source.includes(`phase("${own}"`); number += 1) own = `${base}-${number}`;
    const code = print(
      call("phase", words(own), object({ approval: object({ by: text(String(by)) }) })),
      0,
      0,
      1,
    );
    const phase = claim.around?.inside;
    const at = Math.min(
      line,
      ...(phase?.lead ?? []).map(({ start }) => source.lastIndexOf("\n", start - 1) + 1),
    );
    const inserted = `${indent}${note}\n${indent}${code},\n`;
    const edited =
      source.slice(0, at) + inserted + source.slice(at, without.start) + source.slice(without.end);
    return { text: withImports(edited, "cutover", [], importedFrom(source, "cutover")), claim, code };
  }
  const there = memberOf(options, "approval");
  const known = there === undefined ? undefined : /\bby:\s*(\d+)/.exec(source.slice(there.start, there.end));
  if (there !== undefined && known === null)
    throw misfit(
      file,
      claim,
      "expected `approval: { by: … }` with a number, found another",
      "raise it by hand",
    );
  const people = Math.max(by, Number(known?.[1] ?? 0));
  const inner = `${indent}  `;
  const first = options.parts[0];
  const approval = `approval: { by: ${people} }`;
  const edits = [{ ...without, text: "" }];
  if (there === undefined || first === undefined) {
    const at = first === undefined ? options.start + 1 : first.start;
    edits.push({ start: at, end: at, text: `${note}\n${inner}${approval},\n${inner}` });
  } else if (known !== undefined && known !== null && Number(known[1]) !== people)
    edits.push({
      start: there.start + known.index,
      end: there.start + known.index + known[0].length,
      text: `by: ${people}`,
    });
  let edited = source;
  for (const edit of edits.toSorted((a, b) => b.start - a.start))
    edited = edited.slice(0, edit.start) + edit.text + edited.slice(edit.end);
  return { text: withImports(edited, "cutover", [], importedFrom(source, "cutover")), claim, code: approval };
}

const onWord = ": on a person's word.";

/** Claims that an approval took the place of, by the comments that tell it. */
export function approvedClaims(source: string): ReadonlySet<string> {
  return new Set(
    tokens(source).flatMap(({ type, text: said }) => {
      if (type !== "comment" || !said.startsWith("// ") || !said.endsWith(onWord)) return [];
      const words = said.slice(3, -onWord.length);
      return [words, words.replace(/^\S.*?:\d+ /, "")];
    }),
  );
}

/** The entry with its comments, its comma and its line. */
function removal(source: string, { part }: WrittenClaim): { readonly start: number; readonly end: number } {
  const begins = Math.min(part.start, ...part.lead.map(({ start }) => start));
  const comma = /^\s*,/.exec(source.slice(part.end))?.[0].length ?? 0;
  const end = part.end + comma;
  const lineStart = source.lastIndexOf("\n", begins - 1) + 1;
  const alone = /^[ \t]*$/.test(source.slice(lineStart, begins)) && /^[ \t]*\r?\n/.test(source.slice(end));
  if (!alone) return { start: begins, end: end + (/^ +/.exec(source.slice(end))?.[0].length ?? 0) };
  return { start: lineStart, end: source.indexOf("\n", end) + 1 };
}

function misfit(file: string, claim: WrittenClaim, message: string, remedy: string): CutoverError {
  return new CutoverError("CUTOVER_BIND_INVALID", {
    message: `${message}: ${JSON.stringify(claim.text)}`,
    place: `${file}:${claim.line}`,
    details: { claim: claim.text, role: claim.role },
    remedy,
  });
}
