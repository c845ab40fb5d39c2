import { CutoverError, nameOneOf } from "../core/index.ts";
import { callOf, type Group, groupsOf, keyOf, lineOf, memberOf, type Part, textOf } from "./bind-scan.ts";

/** Where a claim stands: as a check, a gate, a step, the condition of a trigger; `elsewhere` where no evidence can take its place. */
export type ClaimRole = "check" | "gate" | "step" | "trigger" | "elsewhere";

/** An `unproven("…")` of a definition's text. */
export interface WrittenClaim {
  readonly text: string;
  readonly role: ClaimRole;
  /** `entry`, `exit`, …; empty for steps and triggers. */
  readonly list: string;
  /** Name of the phase it stands in. */
  readonly phase: string | undefined;
  readonly line: number;
  /** What evidence takes the place of: the call, of a step the whole step. */
  readonly start: number;
  readonly end: number;
  /** Of a step: its name. */
  readonly step: string | undefined;
  readonly from: string | undefined;
  /** Code of these options as they stand there. */
  readonly after: string | undefined;
  readonly unit: string | undefined;
  /** Entry of the list that it is, or stands in. */
  readonly part: Part;
  /** The call `phase("…", { … })` around it. */
  readonly around: Group | undefined;
}

/** Every claim of a definition that `unproven("…")` marks with words of its own, in the order of the file. */
export function claimsIn(source: string, file: Group): readonly WrittenClaim[] {
  const found: WrittenClaim[] = [];
  for (const group of groupsOf(file)) {
    if (group.callee?.text !== "unproven" || group.inside === undefined) continue;
    const text = textOf(group.parts[0]);
    if (text !== undefined) found.push(claimOf(source, group, text));
  }
  return found.toSorted((a, b) => a.start - b.start);
}

const checkLists = new Set(["entry", "wayBack", "verifyOld"]);
const gateLists = new Set(["exit", "success"]);

function claimOf(source: string, group: Group, text: string): WrittenClaim {
  const options = group.parts[1]?.groups[0];
  const option = (key: string): Part | undefined =>
    options === undefined ? undefined : memberOf(options, key);
  const code = (part: Part | undefined): string | undefined => {
    const value = part?.tokens[2];
    return part === undefined || value === undefined ? undefined : source.slice(value.start, part.end);
  };
  let part = group.inside as Part;
  let role: ClaimRole = "elsewhere";
  let [start, end] = [group.callee?.start ?? group.start, group.end];
  let step: string | undefined;
  // Only wrappers stand between the claim and its list: nothing else may be thrown away with it.
  for (;;) {
    const whole = callOf(part)?.end === part.end || part.end === end;
    const { callee } = part.group;
    if (part.group.open !== "(" || !whole || part.group.inside === undefined) break;
    if (callee?.text === "step" && part === part.group.parts[1] && role === "elsewhere") {
      role = "step";
      step = textOf(part.group.parts[0]);
      [start, end] = [callee.start, part.group.end];
    } else if (callee?.text === "when" && role === "elsewhere") role = "trigger";
    else if (callee?.text !== "from") break;
    part = part.group.inside;
  }
  const owner = part.group.open === "[" ? part.group.inside : undefined;
  const list = owner === undefined ? "" : (keyOf(owner) ?? "");
  if (role === "elsewhere" && checkLists.has(list)) role = "check";
  else if (role === "elsewhere" && gateLists.has(list)) role = "gate";
  const around = phaseAround(part);
  return {
    text,
    role,
    list: role === "check" || role === "gate" ? list : "",
    phase: around === undefined ? undefined : textOf(around.parts[0]),
    line: lineOf(source, group.callee?.start ?? group.start),
    start,
    end,
    step,
    from: textOf(option("from")),
    after: code(option("after")),
    unit: code(option("unit")),
    part,
    around,
  };
}

function phaseAround(part: Part): Group | undefined {
  for (let group: Group | undefined = part.group; group !== undefined; group = group.inside?.group)
    if (group.callee?.text === "phase") return group;
  return undefined;
}

/**
 * The one claim that `words` mean: its text, its line in the plan (`PLAN.md:31`), or the name of its step.
 * @throws CUTOVER_CLAIM_UNKNOWN when none does, CUTOVER_CLAIM_AMBIGUOUS when more than one does.
 */
export function findClaim(claims: readonly WrittenClaim[], words: string, file: string): WrittenClaim {
  const same = (text: string | undefined): boolean => text !== undefined && fold(text) === fold(words);
  const rules: readonly ((claim: WrittenClaim) => boolean)[] = [
    ({ text }) => text === words,
    ({ from }) => from === words || from?.replace(/^.*[/\\]/, "") === words,
    ({ step, phase }) => step !== undefined && (step === words || `${phase}/${step}` === words),
    ({ text }) => same(text),
  ];
  const found = rules.map((rule) => claims.filter(rule)).find((some) => some.length > 0) ?? [];
  const [only, ...more] = found;
  if (only !== undefined && more.length === 0) return only;
  if (only === undefined) {
    const remedy =
      claims.length === 0
        ? "every claim in it has its evidence; see `cutover plan`"
        : nameOneOf(
            words,
            claims.map(({ text }) => text),
            "name a claim that `cutover plan` lists as unproven",
          );
    throw new CutoverError("CUTOVER_CLAIM_UNKNOWN", {
      message: `expected a claim without proof, found no unproven(${JSON.stringify(words)}) among ${claims.length}`,
      place: file,
      remedy,
    });
  }
  const places = found.map(({ from, line, phase }) => ({ line, from: from ?? null, phase: phase ?? null }));
  throw new CutoverError("CUTOVER_CLAIM_AMBIGUOUS", {
    message: `expected one claim ${JSON.stringify(words)}, found ${found.length}: ${found
      .map(
        ({ from, line, phase }) =>
          `line ${line}${phase === undefined ? "" : ` in "${phase}"`}${from === undefined ? "" : `, ${from}`}`,
      )
      .join("; ")}`,
    place: file,
    details: { claims: places },
    remedy: found.every(({ from }) => from !== undefined)
      ? `name it by its line in the plan: ${found[0]?.from ?? ""}`
      : "give the claims different words",
  });
}

/** Case, spaces and the full stop at the end do not make another claim. */
const fold = (text: string): string =>
  text
    .trim()
    .toLowerCase()
    .replaceAll(/\s+/g, " ")
    .replace(/[.:;,]$/, "");
