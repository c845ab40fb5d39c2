import { type Change, findingLists, type Inventory } from "../../document/index.ts";
import { count, plural } from "../../report/index.ts";
import { type Line, span } from "./line.ts";
import { wrap } from "./text-width.ts";

const singular: Readonly<Record<string, string>> = {
  criteria: "criterion",
  calendar: "date",
  durations: "duration",
  totals: "total",
  risks: "risk",
  contingencies: "contingency",
};

/** What was read of a plan: how much, of what sort. */
export function inventoryLines(inventory: Inventory, columns: number): readonly Line[] {
  const { filled, placed } = inventory.lines;
  const share = filled === 0 ? 100 : Math.floor((placed / filled) * 1000) / 10;
  const counts = findingLists.flatMap((list) => {
    const found = inventory[list].length;
    if (found === 0 || list === "sections" || list === "notes") return [];
    const name =
      singular[list] ??
      list
        .replace(/ies$/, "y")
        .replace(/(ch|x)es$/, "$1")
        .replace(/s$/, "");
    return [
      list === "contingencies" || list === "criteria"
        ? `${found} ${found === 1 ? name : list}`
        : plural(found, name),
    ];
  });
  return [
    [
      span(inventory.title === "" ? "a plan without a title" : inventory.title, "bold"),
      span(` · ${count(filled)} lines with words, ${share} % read`, "dim"),
    ],
    ...wrap(counts.join(" · "), Math.max(40, columns - 2)).map((text): Line => [span(`  ${text}`)]),
    ...(inventory.unplaced.length === 0
      ? []
      : [
          [
            span(`  ${plural(inventory.unplaced.length, "line")} not read: --unplaced shows them`, "wait"),
          ] as Line,
        ]),
    ...inventory.defects.map((defect): Line => [
      span(`  line ${defect.place.line}: ${defect.message}`, "wait"),
    ]),
  ];
}

/** Each line that no finding tells, with the reason. */
export function unplacedLines(inventory: Inventory): readonly Line[] {
  return inventory.unplaced.map((line) => [
    span(`${String(line.place.line).padStart(6)}  `, "dim"),
    span(line.text.trim()),
    span(`  ${line.reason}`, "dim"),
  ]);
}

const signs = { added: "+", removed: "-", changed: "~" } as const;

/** What changed in a plan since it was imported; what stays though the plan no longer has it comes last. */
export function changeLines(changes: readonly Change[]): readonly Line[] {
  if (changes.length === 0) return [[span("nothing changed in what the plan asks for")], []];
  const line = ({ kind, claim, before, place, container, outcome }: Change): Line => [
    span(`  ${signs[kind]} `, kind === "added" ? "good" : kind === "removed" ? "bad" : "wait"),
    span(before === undefined ? claim : `${before} → ${claim}`),
    span(
      `  ${[container, place, outcome === "kept" ? "kept" : undefined].filter((each) => each !== undefined && each !== "").join(" · ")}`,
      "dim",
    ),
  ];
  const done = changes.filter(({ outcome }) => outcome === "done");
  const kept = changes.filter(({ outcome }) => outcome === "kept");
  return [
    ...done.map(line),
    ...(kept.length === 0
      ? []
      : [
          [] as Line,
          [
            span("kept as people made it, though the plan changed there", "wait"),
            span(" (--prune removes what the plan no longer has)", "dim"),
          ] as Line,
          ...kept.map(line),
        ]),
    [],
  ];
}
