import { splitClaim } from "../claims.ts";
import { readName } from "../heading.ts";
import type { Inventory } from "../inventory.ts";
import type { LintFacts } from "./facts.ts";
import { lineOf, quoted, type Tell } from "./finding.ts";

/** Headings that contradict each other, blocks that cannot be read, and things that go by two names. */
export function checkNames(inventory: Inventory, facts: LintFacts, tell: Tell): void {
  for (const defect of inventory.defects) {
    const headings = /^phase .* is ".*" on line \d+ and ".*" on line \d+$/s.test(defect.message);
    tell(headings ? "heading-conflict" : "broken-block", defect, {
      expected: headings ? "one heading for one number" : "a block that its parser can read",
      found: defect.message,
      remedy: headings
        ? "number them anew, or make them one"
        : "correct the block; until then nothing of it is known",
    });
  }
  numbers(inventory, tell);
  if (facts.source !== undefined) phaseNames(inventory, facts.source.split("\n"), tell);
  unitNames(inventory, tell);
}

/** `Step 3` twice under one heading, or a number left out. Items of lists number themselves: only headings count. */
function numbers(inventory: Inventory, tell: Tell): void {
  const groups = new Map<string, { readonly at: Inventory["sections"][number]; readonly value: number }[]>();
  for (const section of inventory.sections) {
    if (section.number === undefined || !["step", "unit"].includes(section.role)) continue;
    const value = Number(/(\d+)$/.exec(section.number)?.[1] ?? Number.NaN);
    if (!Number.isInteger(value)) continue;
    const prefix = section.number.slice(0, -String(value).length);
    const key = [...section.path, section.role, prefix, section.level].join("\n");
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [{ at: section, value }]);
    else group.push({ at: section, value });
  }
  for (const group of groups.values())
    group.forEach(({ at, value }, index) => {
      const before = group[index - 1];
      if (before === undefined || value === before.value + 1) return;
      const twin = group.slice(0, index).find((other) => other.value === value);
      tell("heading-conflict", at, {
        expected: `number ${before.value + 1} after ${before.value}`,
        found: twin === undefined ? `${value}` : `${value}, which is ${quoted(twin.at.title)} already`,
        remedy:
          twin === undefined
            ? "write the missing part down, or number anew"
            : "number them anew, or make them one",
        severity: twin === undefined ? "warning" : "error",
        also: [lineOf((twin ?? before).at.place, (twin ?? before).at.text)],
      });
    });
}

const bare = (text: string): string =>
  text
    .replace(/[(（][^()（）]*[)）]/gu, " ")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();

/** A phase that a table, chart or list calls otherwise than its heading does. */
function phaseNames(inventory: Inventory, lines: readonly string[], tell: Tell): void {
  for (const phase of inventory.phases) {
    if (phase.number === undefined) continue;
    const own = bare(phase.title);
    for (const place of phase.also) {
      if (place.line === phase.place.line) continue;
      const raw = lines[place.line - 1] ?? "";
      const cells = raw.split("|").map((cell) =>
        cell
          .replace(/^[\s#>*_\-\d.)]*(?=\p{L})/u, "")
          .replace(/[*_`]/g, "")
          .trim(),
      );
      for (const cell of cells) {
        const sense = readName(splitClaim(cell).title);
        if (sense.role !== "phase" || sense.number?.toLowerCase() !== phase.number.toLowerCase()) continue;
        const other = bare(splitClaim(sense.title).title);
        const word = bare(cell);
        if (other === "" || other === word || sense.title.length > 60 || /[.!?]\s|,/.test(sense.title)) break;
        // A shorter form that only leaves words out of the title is still that title.
        const known = new Set(own.split(" "));
        if (
          other.split(" ").every((each) => known.has(each)) ||
          own.split(" ").every((each) => other.split(" ").includes(each))
        )
          break;
        tell(
          "name-conflict",
          { place, text: cell },
          {
            expected: `${quoted(phase.title)}, as line ${phase.place.line} says`,
            found: quoted(splitClaim(sense.title).title),
            remedy: "give the phase one name",
            severity: "warning",
            also: [lineOf(phase.place, phase.text)],
          },
        );
        break;
      }
    }
  }
}

/** Units whose names differ by a letter, a plural or the way words are joined. */
function unitNames(inventory: Inventory, tell: Tell): void {
  const units = inventory.units.filter(({ glob }) => !glob);
  if (units.length > 2_000) return;
  const joined = units.map(({ name }) => name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, ""));
  for (let at = 0; at < units.length; at++)
    for (let other = 0; other < at; other++) {
      const [one, two] = [joined[at] ?? "", joined[other] ?? ""];
      const unit = units[at];
      const first = units[other];
      if (unit === undefined || first === undefined || !alike(one, two)) continue;
      tell("name-conflict", unit, {
        expected: `${quoted(first.name)}, as on line ${first.place.line}, if it is the same`,
        found: quoted(unit.name),
        remedy: "give it one name, or tell the two apart more clearly",
        severity: "warning",
        also: [lineOf(first.place, first.name)],
      });
      break;
    }
}

function alike(one: string, two: string): boolean {
  if (one === two) return true;
  if (Math.min(one.length, two.length) < 6 || Math.abs(one.length - two.length) > 1) return false;
  // Names that differ in digits are numbered on purpose: `region1`, `region2`.
  if (one.replace(/\d+/g, "#") === two.replace(/\d+/g, "#")) return false;
  let start = 0;
  while (start < one.length && one[start] === two[start]) start++;
  let end = 0;
  while (end < one.length - start && end < two.length - start && one.at(-1 - end) === two.at(-1 - end)) end++;
  const [left, right] = [one.slice(start, one.length - end), two.slice(start, two.length - end)];
  if (/\d/.test(left + right)) return false;
  const swapped = left.length === 2 && right.length === 2 && left[0] === right[1] && left[1] === right[0];
  return swapped || Math.max(left.length, right.length) <= 1;
}
