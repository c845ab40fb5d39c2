import type { Inventory } from "../inventory.ts";
import type { LiteralFinding } from "../matter-finding.ts";
import type { LintFacts } from "./facts.ts";
import { lineOf, quoted, type Tell } from "./finding.ts";

const numerals: Readonly<Record<string, number>> = Object.fromEntries(
  [
    "two zwei deux dos due twee dwa два 两 二",
    "three drei trois tres tre drie trzy три 三",
    "four vier quatre cuatro quattro cztery четыре 四",
    "five fünf cinq cinco cinque vijf pięć пять 五",
    "six sechs seis sei zes sześć шесть 六",
    "seven sieben sept siete sette zeven siedem семь 七",
    "eight acht huit ocho otto osiem восемь 八",
    "nine neun neuf nueve nove negen dziewięć девять 九",
    "ten zehn dix diez dieci tien dziesięć десять 十",
  ].flatMap((words, at) => words.split(" ").map((word) => [word, at + 2])),
);
const number = String.raw`(\d{1,3}|${Object.keys(numerals).join("|")})`;
const valueOf = (word: string): number => numerals[word.toLowerCase()] ?? Number(word);

const phaseNoun =
  "phases?|stages|milestones|phasen|etappen|stufen|étapes|fases|etapas|fasi|tappe|fasen|faz|fazach|этап\\p{L}*|фаз\\p{L}*|阶段|階段|フェーズ";
const phasesCounted = new RegExp(
  `(?<![\\p{L}\\p{N}.,-])${number}\\s*(?:[\\p{L}-]+\\s+)?(?:个|つの)?(?:${phaseNoun})(?![\\p{L}])`,
  "iu",
);
const allCounted = new RegExp(
  `(?:^|[^\\p{L}])(?:all|alle|tous les|toutes les|todos los|todas las|todos os|tutti i|tutte le|wszystkie|все)\\s+${number}\\s+(\\p{L}+)`,
  "iu",
);
const announced = new RegExp(
  `(?:the following|these|folgende[nr]?|diese|les|los siguientes|le seguenti|следующие)\\s+${number}\\s+\\p{L}[^.!?:：]{0,60}[:：]\\s*$`,
  "iu",
);

/** Whatever a plan counts in words must be what it lists. */
export function checkCounts(inventory: Inventory, facts: LintFacts, tell: Tell): void {
  phases(inventory, tell);
  units(inventory, tell);
  scopes(inventory, tell);
  totals(inventory, tell);
  shares(inventory, tell);
  if (facts.source !== undefined) lists(inventory, facts.source, tell);
}

function phases(inventory: Inventory, tell: Tell): void {
  const count = inventory.phases.length;
  if (count < 2) return;
  const texts = [...inventory.sections, ...inventory.notes].filter(
    ({ within }) => within.phase === undefined,
  );
  for (const item of texts) {
    const found = phasesCounted.exec(item.text);
    if (found === null || valueOf(found[1] ?? "") === count) continue;
    // "the first two phases", "phases 2 to 4" and the like speak of a part.
    if (
      /first|last|next|remaining|other|of the|erste|letzte|nächste|übrige|premi|derni|primer|últim|每|any|at least|up to/iu.test(
        item.text,
      )
    )
      continue;
    tell("count-mismatch", item, {
      expected: `${found[1]} phases`,
      found: `${count}: ${inventory.phases.map(({ title }) => title).join(", ")}`.slice(0, 200),
      remedy: "correct the number, or write the missing phases down",
      also: inventory.phases.map(({ place, title }) => lineOf(place, title)),
    });
  }
}

const stem = (word: string): string =>
  word
    .toLowerCase()
    .replace(/(?:ies)$/u, "y")
    .replace(/(?:e?s|en|n)$/u, "");

/** `All 6 crates created` where the headings of the units say "crate". */
function units(inventory: Inventory, tell: Tell): void {
  const kinds = new Map<string, number>();
  for (const unit of inventory.units) {
    if (unit.glob) continue;
    for (const word of new Set([unit.text, ...unit.also.map(() => "")].join(" ").split(/[^\p{L}]+/u)))
      if (word.length > 2) kinds.set(stem(word), (kinds.get(stem(word)) ?? 0) + 1);
  }
  const count = inventory.units.filter(({ glob, count: many }) => !glob && many === undefined).length;
  if (count < 2 || count !== inventory.units.length) return;
  const heads = inventory.sections
    .filter(({ role }) => role === "unit")
    .map(({ text }) => stem(text.split(/[^\p{L}]+/u)[0] ?? ""));
  for (const item of [...inventory.checks, ...inventory.criteria, ...inventory.notes]) {
    if (item.kind === "criterion" && item.check !== undefined) continue;
    const found = allCounted.exec(item.text);
    const noun = stem(found?.[2] ?? "");
    if (found === null || noun === "" || valueOf(found[1] ?? "") === count) continue;
    // Only a noun that the units themselves carry counts units: "all 10 tests" counts something else.
    if (heads.filter((head) => head === noun).length < 2 && (kinds.get(noun) ?? 0) < count) continue;
    tell("count-mismatch", item, {
      expected: `${found[1]} ${found[2]}`,
      found: `${count}: ${inventory.units.map(({ name }) => name).join(", ")}`.slice(0, 200),
      remedy: "correct the number or the list",
      also: inventory.units.map(({ place, name }) => lineOf(place, name)),
    });
  }
}

/** `systems: 1-3 (P0 systems)`: as many as class P0 lists, and each phase goes on where the one before ended. */
function scopes(inventory: Inventory, tell: Tell): void {
  let before: { readonly high: number; readonly title: string; readonly line: number } | undefined;
  for (const phase of inventory.phases) {
    const range = /^\s*(\d+)\s*(?:[-–—]|to|bis|à)\s*(\d+)/u.exec(phase.scope ?? "");
    if (range === null) continue;
    const [low, high] = [Number(range[1]), Number(range[2])];
    if (before !== undefined && low !== before.high + 1)
      tell("count-mismatch", phase, {
        expected: `${quoted(phase.title)} to begin with ${before.high + 1}, after ${before.high} of ${quoted(before.title)}`,
        found: quoted(phase.scope ?? ""),
        remedy: low > before.high ? "say which phase moves those between" : "let each be moved once",
        also: [{ file: phase.place.file, line: before.line, what: before.title }],
      });
    before = { high, title: phase.title, line: phase.place.line };
    const classes = inventory.waves.filter(({ name }) =>
      new RegExp(`(?<![\\p{L}\\p{N}])${escape(name)}(?![\\p{L}\\p{N}])`, "u").test(phase.scope ?? ""),
    );
    const [wave] = classes;
    if (
      wave === undefined ||
      classes.length > 1 ||
      /\d\s*[-–]\s*\w*\d+\s*(?:systems|$|\))/u.test((phase.scope ?? "").slice(range[0].length))
    )
      continue;
    const members = inventory.units.filter(({ key }) => wave.units.includes(key));
    if (members.length === 0 || members.some(({ glob, count }) => glob || count !== undefined)) continue;
    if (members.length === high - low + 1) continue;
    tell("count-mismatch", phase, {
      expected: `${high - low + 1} of ${wave.name}, as ${quoted(phase.scope ?? "")} says`,
      found: `${members.length}: ${members.map(({ name }) => name).join(", ")}`,
      remedy: "list the missing ones or correct the range",
      also: [lineOf(wave.place, quoted(wave.text))],
    });
  }
}

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** `Total Systems: 52` and the numbers of `SYSTEM_CATEGORIES`. */
function totals(inventory: Inventory, tell: Tell): void {
  const books = inventory.literals.filter(
    ({ shape, entries }) =>
      shape === "dictionary" &&
      entries.length >= 2 &&
      entries.every(({ value }) => typeof value === "number" && Number.isInteger(value)),
  );
  for (const row of inventory.rows)
    for (const [name, cell] of Object.entries(row.cells)) {
      const noun = /^total\s+(\p{L}+)$/iu.exec(name.trim())?.[1];
      const value = Number(typeof cell === "string" ? cell.replace(/,/g, "") : cell);
      if (noun === undefined || !Number.isInteger(value)) continue;
      for (const book of books.filter((each) => nounsOf(each).has(stem(noun)))) {
        const sum = book.entries.reduce((all, { value: part }) => all + Number(part), 0);
        if (sum === value) continue;
        tell("sum-mismatch", book, {
          expected: `${value}, as line ${row.place.line} says`,
          found: `${book.entries.map(({ written }) => written).join(" + ")} = ${sum}`,
          remedy: "correct the total or the parts",
          also: [lineOf(row.place, quoted(row.text))],
        });
      }
    }
}

const nounsOf = ({ name }: LiteralFinding): ReadonlySet<string> =>
  new Set(name.split(/[^\p{L}]+|(?<=\p{Ll})(?=\p{Lu})/u).map(stem));

/** Parts of a whole add up to 100 %. A ramp is none: its shares are stations on one way. */
function shares(inventory: Inventory, tell: Tell): void {
  const ramps = new Set(inventory.ramps.flatMap(({ stages }) => stages.map(({ place }) => place.line)));
  for (const section of inventory.sections) {
    if (
      !/\b(?:split|distribution|breakdown|allocation|shares|aufteilung|verteilung|répartition|reparto|distribuci|ripartizione|verdeling|podział|распределени)|分配|内訳/iu.test(
        section.title,
      )
    )
      continue;
    const own = inventory.percents.filter(
      ({ within, place, low, high }) =>
        within.section === section.key && !ramps.has(place.line) && low === high,
    );
    const lines = new Set(own.map(({ place }) => place.line));
    const sum = own.reduce((all, { high }) => all + high, 0);
    if (own.length < 3 || lines.size !== own.length || Math.abs(sum - 100) < 0.51 || sum < 60 || sum > 140)
      continue;
    tell("sum-mismatch", section, {
      expected: "100 % in all",
      found: `${own.map(({ written }) => written).join(" + ")} = ${Math.round(sum * 100) / 100} %`,
      remedy: "correct the parts",
      also: own.map(({ place, written }) => lineOf(place, written)),
    });
  }
}

/** `the following three checks:` and the list below. */
function lists(inventory: Inventory, source: string, tell: Tell): void {
  const lines = source.split("\n");
  let fenced = false;
  lines.forEach((line, index) => {
    if (/^\s*(?:```|~~~)/.test(line)) fenced = !fenced;
    const found = fenced ? null : announced.exec(line);
    if (found === null) return;
    let at = index + 1;
    while ((lines[at] ?? "x").trim() === "" && at < lines.length) at++;
    const first = /^(\s*)(?:[-*+]|\d+[.)])\s/.exec(lines[at] ?? "");
    if (first === null) return;
    let count = 0;
    for (; at < lines.length; at++) {
      const item = /^(\s*)(?:[-*+]|\d+[.)])\s/.exec(lines[at] ?? "");
      if (item !== null && item[1] === first[1]) count++;
      else if ((lines[at] ?? "").trim() !== "" && !/^\s{2,}/.test(lines[at] ?? "")) break;
    }
    const wanted = valueOf(found[1] ?? "");
    if (count === wanted) return;
    const place = { file: inventory.file, line: index + 1, column: 1, endLine: index + 1 };
    tell(
      "count-mismatch",
      { place, text: line.trim() },
      {
        expected: `${wanted} below, as the line says`,
        found: `${count}`,
        remedy: "correct the number or the list",
      },
    );
  });
}
