import { sha256 } from "../core/index.ts";
import { callOf, type Group, groupsOf, lineOf, memberOf, type Part, scan, textOf } from "./bind-scan.ts";
import { decoded, type Token, tokens } from "./bind-tokens.ts";

/** One thing of a definition that a plan can ask for: an entry of a list, a member of a phase, a constant. */
export interface Entry {
  /** Where it stands: `phases`, `phase pilot/exit`, `triggers`; what it is called there. Together they tell it from others. */
  readonly container: string;
  readonly id: string;
  /** What it says, for people. */
  readonly claim: string;
  /** Line of the plan; undefined for what a person added. */
  readonly place: string | undefined;
  /** With its comments and without the comma. */
  readonly start: number;
  readonly end: number;
  /** Without comments. */
  readonly codeStart: number;
  readonly lead: readonly Token[];
  readonly line: number;
  /** Of its code without line numbers and white space: equal for what was written from equal words. */
  readonly digest: string;
  readonly unproven: boolean;
  /** A phase or procedure: its parts are entries themselves. */
  readonly whole: boolean;
  /** Texts of places in its own code, not in its parts. */
  readonly places: readonly { readonly start: number; readonly end: number; readonly text: string }[];
}

export interface Definition {
  readonly source: string;
  readonly file: Group;
  readonly entries: readonly Entry[];
  /** Brackets of each list, and of each object that lists and members stand in, by container. */
  readonly groups: ReadonlyMap<string, Group>;
}

const phaseLists = ["wayBack", "entry", "steps", "exit"];
const phaseMembers = ["title", "units", "forwardOnly", "approval"];
const rootLists = ["units", "waves", "triggers", "success", "verifyOld", "risks"];
const rootMembers = ["title", "document", "schedule"];

/** Everything in a definition's text that could come from a plan. */
export function definitionOf(source: string): Definition {
  const file = scan(source);
  const entries: Entry[] = [];
  const groups = new Map<string, Group>();
  const root = [...groupsOf(file)].find(({ callee }) => callee?.text === "defineMigration")?.parts[0]
    ?.groups[0];
  const listIn = (object: Group, key: string): Group | undefined => {
    const part = memberOf(object, key);
    return part?.groups.find(({ open }) => open === "[");
  };
  const addList = (
    object: Group,
    key: string,
    container: string,
    idOf: (part: Part) => string | undefined,
  ): void => {
    const list = listIn(object, key);
    if (list === undefined) return;
    groups.set(container, list);
    for (const part of list.parts) {
      const entry = entryOf(source, part, container, idOf(part));
      if (entry !== undefined) entries.push(entry);
    }
  };
  const addMembers = (object: Group, keys: readonly string[], container: string): void => {
    for (const key of keys) {
      const part = memberOf(object, key);
      if (part === undefined) continue;
      entries.push({ ...plainEntry(source, part, container, key), places: [] });
    }
  };
  for (const statement of file.parts) {
    const constant = constantOf(source, statement);
    if (constant !== undefined) entries.push(constant);
  }
  if (root === undefined) return { source, file, entries, groups };
  groups.set("", root);
  addMembers(root, rootMembers, "");
  for (const key of rootLists) addList(root, key, key, idIn(key));
  addList(root, "phases", "phases", (part) => callNamed(part, "phase")?.name);
  for (const part of groups.get("phases")?.parts ?? []) {
    const phase = callNamed(part, "phase");
    const object = phase?.group.parts[1]?.groups[0];
    if (phase === undefined || object === undefined) continue;
    const container = `phase ${phase.name}`;
    groups.set(container, object);
    addMembers(object, phaseMembers, container);
    for (const key of phaseLists) addList(object, key, `${container}/${key}`, idIn(key));
  }
  addList(root, "contingencies", "contingencies", (part) => objectText(part, "name"));
  for (const part of groups.get("contingencies")?.parts ?? []) {
    const [object] = part.groups;
    const name = objectText(part, "name");
    if (object === undefined || name === undefined) continue;
    groups.set(`contingency ${name}`, object);
    addList(object, "steps", `contingency ${name}/steps`, idIn("steps"));
  }
  return { source, file, entries, groups };
}

const idIn =
  (list: string) =>
  (part: Part): string | undefined => {
    if (list === "units" || list === "waves") return objectText(part, "name") ?? textOf(part);
    if (list === "risks") return objectText(part, "risk");
    const call = innerCall(part);
    if (call === undefined) return undefined;
    if (list === "triggers") return triggerName(call, part);
    const first = textOf(call.parts[0]);
    if (list !== "steps") return call.callee?.text === "from" ? undefined : first;
    const unit = [...groupsOf(call)].flatMap((group) => textOf(memberOf(group, "unit")) ?? [])[0];
    return first === undefined ? undefined : unit === undefined ? first : `${first}@${unit}`;
  };

/** `when(…).then("pause", { name: "…" })` or `manual("…")`. */
function triggerName(call: Group, part: Part): string | undefined {
  if (call.callee?.text === "manual") return textOf(call.parts[0]);
  const options = part.groups.flatMap((group) => group.parts).flatMap((each) => each.groups);
  return options.flatMap((group) => textOf(memberOf(group, "name")) ?? []).at(-1);
}

/** The call of an entry, `from("PLAN.md:31", …)` around it taken off. */
function innerCall(part: Part): Group | undefined {
  const call = callOf(part);
  const inner = call?.callee?.text === "from" ? call.parts[1] : undefined;
  return inner === undefined ? call : (callOf(inner) ?? call);
}

function callNamed(part: Part, word: string): { readonly group: Group; readonly name: string } | undefined {
  const group = innerCall(part);
  const name = group?.callee?.text === word ? textOf(group.parts[0]) : undefined;
  return group === undefined || name === undefined ? undefined : { group, name };
}

function objectText(part: Part, key: string): string | undefined {
  const [group] = part.groups;
  return group === undefined || group.start !== part.start ? undefined : textOf(memberOf(group, key));
}

const markPattern = /^\/\/ (\S.*?:\d+)(?: (.*))?$/;

function entryOf(
  source: string,
  part: Part,
  container: string,
  given: string | undefined,
): Entry | undefined {
  const above = part.lead.at(-1)?.text ?? "";
  const mark = markPattern.exec(above);
  const measured = container.endsWith("/exit") || container === "success" || container.endsWith("/steps");
  const bare = given === undefined || /^\W*$/.test(given);
  // A measure has no words of its own: the comment above says what it shows. A ramp goes by its comment as well.
  const isFrom = callOf(part)?.callee?.text === "from";
  const words = above.replace(/^\/\/ ?/, "");
  const named = measured && isFrom && part.lead.length > 0 && !claimBuilder(part) ? words : given;
  const id = named ?? mark?.[2] ?? (bare && measured && isFrom ? words : undefined);
  if (id === undefined || id === "") return undefined;
  const entry = plainEntry(source, part, container, id);
  const places = placesIn(part, container === "phases" || container === "contingencies");
  return {
    ...entry,
    claim: entry.whole ? id : (claimIn(part) ?? mark?.[2] ?? id),
    places,
    place: places[0]?.text ?? mark?.[1],
  };
}

/** The entry's own builder carries its claim as first argument. */
function claimBuilder(part: Part): boolean {
  const word = innerCall(part)?.callee?.text ?? "";
  return [
    "unproven",
    "commandCheck",
    "commandGate",
    "dataCheck",
    "dataGate",
    "dataStep",
    "check",
    "gate",
    "step",
    "command",
    "byHand",
  ].includes(word);
}

function claimIn(part: Part): string | undefined {
  const [first] = [...part.groups]
    .flatMap((group) => [...groupsOf(group)])
    .filter(({ callee }) => callee?.text === "unproven");
  return first === undefined ? undefined : textOf(first.parts[0]);
}

function plainEntry(source: string, part: Part, container: string, id: string): Entry {
  const code = source.slice(part.start, part.end);
  const start = Math.min(part.start, ...part.lead.map((comment) => comment.start));
  return {
    container,
    id,
    claim: id,
    place: undefined,
    start,
    end: part.end,
    codeStart: part.start,
    lead: part.lead,
    line: lineOf(source, part.start),
    digest: digestOf(code),
    unproven: /\bunproven\s*\(/.test(code),
    whole: container === "phases" || container === "contingencies",
    places: [],
  };
}

/** `export const name = …`, under a comment with its line of the plan. */
function constantOf(source: string, statement: Part): Entry | undefined {
  const [first, second, name] = statement.tokens;
  if (first?.text !== "export" || second?.text !== "const" || name === undefined) return undefined;
  const mark = statement.lead.map(({ text }) => markPattern.exec(text)).findLast((each) => each !== null);
  if (mark === undefined) return undefined;
  return {
    ...plainEntry(source, statement, "constants", name.text),
    claim: `table ${name.text}`,
    place: mark?.[1],
  };
}

/** Places that an entry names: `from: "PLAN.md:3"`, `from("PLAN.md:3", …)`, and the comment above. */
function placesIn(part: Part, ownOnly: boolean): Entry["places"] {
  const found: { start: number; end: number; text: string }[] = [];
  const own = ownOnly
    ? [
        ...part.groups,
        ...part.groups.flatMap((group) =>
          group.parts.flatMap((each) => each.groups.filter(({ open }) => open === "{")),
        ),
      ]
    : part.groups.flatMap((group) => [...groupsOf(group)]);
  for (const group of own) {
    const member = memberOf(group, "from");
    const token =
      member === undefined
        ? group.callee?.text === "from"
          ? group.parts[0]?.tokens[0]
          : undefined
        : member.tokens[2];
    const text = decoded(token);
    if (token !== undefined && text !== undefined && /:\d+$/.test(text))
      found.push({ start: token.start + 1, end: token.end - 1, text });
  }
  return found;
}

/** Equal for code that differs in white space, comments and lines of the plan only. */
export function digestOf(code: string): string {
  const all = tokens(code).filter(({ type }) => type !== "comment");
  const words = all.flatMap((token, index) => {
    const isPlace = all[index - 2]?.text === "from" && /^[:(]$/.test(all[index - 1]?.text ?? "");
    if (isPlace) return [];
    // The comma behind the last entry comes and goes with the line breaks.
    if (token.text === "," && (all[index + 1] === undefined || /^[)\]}]$/.test(all[index + 1]?.text ?? "")))
      return [];
    const text = decoded(token);
    return [text === undefined ? token.text : JSON.stringify(text)];
  });
  return sha256(words.join(" ")).slice(0, 8);
}

const footerLine = "// Written so by the last import: ";

/** Digests of what the last import wrote: what differs from them is a person's. */
export function writtenDigests(source: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const line of source.split("\n"))
    if (line.startsWith(footerLine))
      for (const digest of line.slice(footerLine.length).trim().split(" ")) found.add(digest);
  return found;
}

/** The text with the digests of `definition` at its end, in place of those that were there. */
export function withDigests(text: string, definition: Definition): string {
  const digests = [...new Set(definition.entries.filter(({ whole }) => !whole).map(({ digest }) => digest))];
  const lines: string[] = [];
  for (let at = 0; at < digests.length; at += 8)
    lines.push(`${footerLine}${digests.slice(at, at + 8).join(" ")}`);
  const kept = text.split("\n").filter((line) => !line.startsWith(footerLine));
  while (kept.at(-1)?.trim() === "") kept.pop();
  return `${[...kept, ...lines].join("\n")}\n`;
}
