import type { Difference, DifferenceCounts, Place, Verification } from "../../data/index.ts";
import { digestText, keyText } from "../../data/index.ts";
import { count, plural } from "../../report/index.ts";
import { type Line, span } from "./line.ts";

const units = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** `120 B`, `3.4 MB`: decimal units, as disks are sold. */
export function bytesText(bytes: number): string {
  const step = bytes < 1_000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1_000 ** step;
  return `${step === 0 || value >= 99.95 ? count(value) : value.toFixed(1)} ${units[step] ?? "B"}`;
}

/** `1 missing · 2 different`. */
export function countsText(counts: DifferenceCounts): string {
  const words = Object.entries(counts)
    .filter(([, number]) => number > 0)
    .map(([kind, number]) => `${count(number)} ${kind}`);
  return words.join(" · ");
}

/** What a verification found, for people. */
export function verificationLines(found: Verification, shown: number): readonly Line[] {
  const { counts, differences, unsettled, unexplained, arrived, atLeast } = found;
  const total = counts.missing + counts.extra + counts.different + counts.clash;
  const head: Line = found.equal
    ? [
        span("✔ equal  ", "good"),
        span(`${plural(found.source.count, "row")} · ${digestWords(found)} · seed ${found.seed}`),
      ]
    : [
        span("✖ not equal  ", "bad"),
        span(
          `${count(found.source.count)} rows against ${count(found.target.count)}${total === 0 ? "" : ` · ${atLeast ? "at least " : ""}${countsText(counts)}`}`,
        ),
      ];
  const notes = [
    ...(arrived > 0 ? [`${plural(arrived, "row")} had only been late`] : []),
    ...(unsettled > 0
      ? [`${plural(unsettled, "row")} changed at every look: nothing can be said of them`]
      : []),
    ...unexplained.map(
      ({ collection }) =>
        `alarm: digests in "${collection}" differ by something else than what was found row by row, although nothing was moved: is somebody writing, or is the store damaged?`,
    ),
  ];
  return [
    head,
    ...differences.slice(0, shown).map(differenceLine),
    ...(total > Math.min(shown, differences.length)
      ? [[span(`    … ${count(total - Math.min(shown, differences.length))} more (--limit)`, "dim")]]
      : []),
    ...notes.map((note): Line => [span(`  ${note}`, "wait")]),
  ];
}

/** Sums that stores made of their rows are no digest that `data digest` could give again. */
function digestWords({ source, collections }: Verification): string {
  const summed = collections.filter(({ by }) => by === "sums").length;
  if (summed === 0) return `digest ${digestText(source)}`;
  return summed === collections.length
    ? "compared by sums of the servers"
    : `${count(summed)} of ${plural(collections.length, "table")} compared by sums of the servers`;
}

function differenceLine(difference: Difference): Line {
  const { collection, key, kind, sourceBytes, targetBytes, firstByte, rows = [] } = difference;
  const sizes = {
    missing: `${bytesText(sourceBytes ?? 0)} on the old side, nothing on the new`,
    extra: `nothing on the old side, ${bytesText(targetBytes ?? 0)} on the new`,
    different: `${bytesText(sourceBytes ?? 0)} and ${bytesText(targetBytes ?? 0)}, unequal from byte ${firstByte ?? 0}`,
    clash: `two rows of the old side have their image here${rows.length === 0 ? "" : `: ${rows.map(placeText).join(" and ")}`}`,
  }[kind];
  const where = placeText({ collection, key });
  return [span(`    ${kind.padEnd(10)}`, "bad"), span(`${where}  `), span(sizes, "dim")];
}

const placeText = ({ collection, key }: Place): string =>
  `${collection === "" ? "" : `${collection} `}${keyText(key)}`;

/** A verification as JSON: keys as hexadecimal text, sums as they are written everywhere. */
export function verificationJson(found: Verification): object {
  const { source, target, differences, unexplained, collections, ...rest } = found;
  const side = (digest: Verification["source"]): object => ({
    rows: digest.count,
    digest: digestText(digest),
  });
  const hex = (key: Uint8Array): string => Buffer.from(key).toString("hex");
  return {
    ...rest,
    source: side(source),
    target: side(target),
    collections: collections.map(({ name, by, source: ours, target: theirs, leaves, unequalLeaves }) => ({
      name,
      by,
      source: side(ours),
      target: side(theirs),
      leaves,
      unequalLeaves,
    })),
    differences: differences.map(({ key, rows, ...each }) => ({
      ...each,
      key: hex(key),
      ...(rows === undefined ? {} : { rows: rows.map((row) => ({ ...row, key: hex(row.key) })) }),
    })),
    unexplained: unexplained.map(({ collection, after, upTo }) => ({
      collection,
      ...(after === undefined ? {} : { after: hex(after) }),
      ...(upTo === undefined ? {} : { upTo: hex(upTo) }),
    })),
  };
}
