import type { Inventory } from "../inventory.ts";
import type { Claim } from "../finding.ts";
import type { Place } from "../finding.ts";
import type { LintFacts } from "./facts.ts";
import { lineOf, quoted, type Tell } from "./finding.ts";

// A link, a commit, a request or a file that a machine wrote. A name of a person or team shows nothing.
const proof =
  /https?:\/\/\S|\]\([^)\s]+\)|(?<![\w/])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,40}(?!\w)|(?<![\w&])[#!]\d{1,6}(?!\w)|\b(?:PR|MR|CL)\s?#?\d+|`?[\w./-]+\.(?:log|xml|html?|json|csv|txt|png|pdf|sarif|tap|lcov|info)\b/u;

/** Whatever is ticked or said to be done needs something that shows it, on its own lines or those indented below. */
export function checkEvidence(inventory: Inventory, facts: LintFacts, tell: Tell): void {
  const lines = facts.source?.split("\n");
  const links = new Set(inventory.links.map(({ place }) => place.line));
  const shown = (place: Place, text: string): boolean =>
    proof.test(text) || links.has(place.line) || (lines !== undefined && proof.test(ownLines(lines, place)));
  const told = new Set<number>();
  for (const check of inventory.checks) {
    if (check.ticked !== true || check.mark === "❌" || shown(check.place, check.text)) continue;
    told.add(check.place.line);
    tell("ticked-without-evidence", check, {
      expected: "something that shows it: a link, a commit, a report",
      found: `${check.mark} and no more`,
      remedy: "link what shows it, or untick it and let a run prove it",
    });
  }
  const claims: readonly {
    readonly place: Place;
    readonly text: string;
    readonly claim?: Claim;
    readonly also?: readonly Place[];
  }[] = [...inventory.phases, ...inventory.units, ...inventory.steps, ...inventory.calendar];
  for (const item of claims) {
    const { claim, also = [] } = item;
    if (claim?.state !== "done") continue;
    const places = [item.place, ...also].filter(
      (place, at, all) => all.findIndex(({ line }) => line === place.line) === at,
    );
    if (places.some((place) => shown(place, item.text) || told.has(place.line))) continue;
    for (const { line } of places) told.add(line);
    tell("ticked-without-evidence", item, {
      expected: "something that shows it: a link, a commit, a report",
      found: `${quoted(claim.text)} and no more`,
      remedy: "link what shows it, or let a run prove it",
      also: places.slice(1).map((place) => lineOf(place, "says it again")),
    });
  }
}

/** The lines of an item, and those below it that are indented further: its notes. */
function ownLines(lines: readonly string[], place: Place): string {
  const own = lines.slice(place.line - 1, place.endLine);
  const indent = /^\s*/.exec(own[0] ?? "")?.[0].length ?? 0;
  for (let at = place.endLine; at < Math.min(lines.length, place.endLine + 20); at++) {
    const line = lines[at] ?? "";
    if (line.trim() === "" || line.search(/\S/) <= indent || /^\s*[-*+]\s+\[[ xX]\]/.test(line)) break;
    own.push(line);
  }
  return own.join("\n");
}
