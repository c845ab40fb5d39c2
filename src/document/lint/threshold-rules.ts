import type { ThresholdFinding } from "../figure-finding.ts";
import type { Inventory } from "../inventory.ts";
import { lineOf, quoted, type Tell } from "./finding.ts";

/** Words that name no other thing: `system error rate` and `error rate` are one measure, `checkout error rate` is another. */
const empty = new Set(
  "the a an of in on for to at is be must should stay remain keep target limit max min maximum minimum average avg mean overall total system new side all any current level value metric".split(
    " ",
  ),
);

/** One limit for one thing, in one place of the plan, with one consequence, has one number. */
export function checkThresholds(inventory: Inventory, tell: Tell): void {
  const first = new Map<string, ThresholdFinding>();
  const told = new Set<string>();
  for (const threshold of inventory.thresholds) {
    const key = keyOf(threshold);
    if (key === undefined) continue;
    const known = first.get(key);
    if (known === undefined) {
      first.set(key, threshold);
      continue;
    }
    const one = plain(known);
    const other = plain(threshold);
    if (known.place.line === threshold.place.line || Math.abs(one - other) <= 1e-9 * Math.max(one, other, 1))
      continue;
    const pair = `${known.place.line} ${threshold.place.line}`;
    if (told.has(pair)) continue;
    told.add(pair);
    tell("threshold-conflict", threshold, {
      expected: `the number of line ${known.place.line}: ${shown(known)}`,
      found: shown(threshold),
      remedy: "decide which one counts and write it once",
      also: [lineOf(known.place, quoted(known.text))],
    });
  }
}

const shown = ({ comparison, numberText, unit, baseline }: ThresholdFinding): string =>
  `${comparison} ${numberText}${/^[\p{L}]/u.test(unit) ? " " : ""}${unit}${baseline === undefined ? "" : ` ${baseline}`}`;

/** What must be equal before two numbers can contradict each other; undefined for what nobody can compare. */
function keyOf(threshold: ThresholdFinding): string | undefined {
  const { about, measure, quantile, comparison, sense, does, action, within } = threshold;
  if (sense === "unknown" || threshold.sureness === "guessed") return undefined;
  const words = wordsOf(measure);
  if (about === "other" && words === "") return undefined;
  const direction = comparison.startsWith("<") ? "<" : comparison.startsWith(">") ? ">" : comparison;
  return [
    about === "other" ? "" : about,
    words,
    quantile ?? "",
    direction,
    sense,
    does ?? action ?? "",
    family(threshold),
    threshold.baseline === undefined ? "" : "relative",
    within.phase ?? "",
    within.unit ?? "",
    within.step ?? "",
  ].join("\n");
}

function wordsOf(measure: string): string {
  const words = measure
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "" && !empty.has(word));
  return [...new Set(words)].toSorted().join(" ");
}

const factors: Readonly<Record<string, readonly [string, number]>> = {
  ms: ["time", 1],
  s: ["time", 1_000],
  sec: ["time", 1_000],
  seconds: ["time", 1_000],
  second: ["time", 1_000],
  min: ["time", 60_000],
  minutes: ["time", 60_000],
  minute: ["time", 60_000],
  h: ["time", 3_600_000],
  hours: ["time", 3_600_000],
  hour: ["time", 3_600_000],
  kb: ["bytes", 1e3],
  mb: ["bytes", 1e6],
  gb: ["bytes", 1e9],
  kib: ["bytes", 1_024],
  mib: ["bytes", 1_048_576],
  gib: ["bytes", 1_073_741_824],
  "%": ["part", 0.01],
};

/** `0.05` of an error rate and `5 %` are the same part. */
function unitOf({ unit, about, number }: ThresholdFinding): readonly [string, number] {
  const known = factors[unit.toLowerCase()];
  if (known !== undefined) return known;
  const rate = about === "error-rate" || about === "availability" || about === "mismatch";
  return unit === "" && rate && number <= 1 ? ["part", 1] : [unit.toLowerCase(), 1];
}

const family = (threshold: ThresholdFinding): string => unitOf(threshold)[0];
const plain = (threshold: ThresholdFinding): number => threshold.number * unitOf(threshold)[1];
