import type { Fence } from "./block.ts";
import { type CodeEntry, type CodeLiteral, readCode } from "./code.ts";
import { aboutOf as subjectOf, readComparisons } from "./comparisons.ts";
import { tellMapping } from "./arrows.ts";
import type { Context } from "./draft.ts";
import { readName, roleOf } from "./heading.ts";
import { ownThreshold, tellFigures } from "./passage.ts";
import { wordsOf } from "./data-names.ts";
import type { Reading } from "./reading.ts";

/** Program text: its literals and declarations are data of the plan, its comments may tell steps and limits; the rest is for people. */
export function readLiterals(reading: Reading, block: Fence, context: Context, language: string): void {
  const { draft } = reading;
  const { literals, comments } = readCode(block.rows, language);
  for (const { text, row } of comments) tellComment(reading, text, block.first + row, context);
  for (const literal of literals) {
    const line = block.first + literal.from;
    const endLine = block.first + literal.to;
    const text = literal.name === "" ? literal.owner : literal.name;
    const said = {
      text,
      line,
      endLine,
      sureness: "certain",
      why: `${literal.shape} in a block of ${language}`,
    } as const;
    draft.add("literals", "literal", said, context, {
      name: literal.name,
      language,
      shape: literal.shape,
      value: literal.value,
      entries: literal.entries.map(({ path, value, written, literal: isLiteral, comment, row }) => ({
        path,
        value,
        written,
        literal: isLiteral,
        ...(comment === undefined ? {} : { comment }),
        place: draft.place(block.first + row),
      })),
    });
    for (const { written, row } of literal.entries) tellFigures(reading, context, written, block.first + row);
    new LiteralSense(reading, literal, block.first, context).tell();
  }
  block.rows.forEach((row, index) => {
    if (/^[\s{}()[\];,]*$/.test(row)) draft.form(block.first + index);
  });
  draft.leave(
    block.first,
    block.endLine,
    `${language} that is no literal: program text is not read further, and never run`,
    context,
  );
}

function tellComment(reading: Reading, text: string, line: number, context: Context): void {
  const sense = readName(text);
  if (sense.named && sense.role === "step" && sense.number !== undefined) {
    const order = Number.parseInt(sense.number, 10) || reading.draft.lists.steps.length + 1;
    reading.step(
      {
        title: sense.title,
        number: sense.number,
        text,
        line,
        order,
        sureness: "guessed",
        why: "comment in program text",
        defines: true,
      },
      context,
    );
  } else if (text.length > 3) {
    reading.draft.add(
      "notes",
      "note",
      { text, line, sureness: "certain", why: "comment in program text" },
      context,
      { role: "point" },
    );
  }
  tellFigures(reading, context, text, line);
}

class LiteralSense {
  readonly #reading: Reading;
  readonly #literal: CodeLiteral;
  readonly #first: number;
  readonly #context: Context;
  readonly #label: string;

  constructor(reading: Reading, literal: CodeLiteral, first: number, context: Context) {
    this.#reading = reading;
    this.#literal = literal;
    this.#first = first;
    this.#context = context;
    this.#label = wordsOf(`${literal.owner} ${literal.name}`);
  }

  /** What the literal is in a plan, by its shape, its name and the section. Most are just data. */
  tell(): void {
    const { shape } = this.#literal;
    this.#targets();
    if (shape === "struct") this.#methods();
    else if (shape === "dictionary") this.#dictionary();
    else if (shape === "list" || shape === "function") this.#list();
  }

  #said(entry: CodeEntry, text: string): { text: string; line: number; sureness: "likely"; why: string } {
    const { name, owner } = this.#literal;
    return {
      text,
      line: this.#first + entry.row,
      sureness: "likely",
      why: `entry of "${name === "" ? owner : name}"`,
    };
  }

  /** `failed: int = 0  # Target: <5`. */
  #targets(): void {
    for (const entry of this.#literal.entries) {
      const target =
        /(?:target|goal|ziel|cible|objetivo|obiettivo|цель|目标|目標)\s*[:=：]\s*([<>≤≥=+-]*\s*\d.*)$/iu.exec(
          entry.comment ?? "",
        )?.[1];
      if (target === undefined) continue;
      const exact = /^\d/.test(target)
        ? `${/^0(?:\D|$)/.test(target) ? "==" : ">="} ${target}`
        : target.replace(/^\+\s*/, ">= ");
      const measure = wordsOf(entry.path);
      for (const found of readComparisons(exact)) {
        const fact = ownThreshold(
          { ...found, measure, about: subjectOf(measure), forbidden: false },
          { sense: "goal" },
        );
        const sureness = /^[<>≤≥]/.test(target) ? "likely" : "guessed";
        this.#reading.draft.add(
          "thresholds",
          "threshold",
          { ...this.#said(entry, `${entry.path}: ${entry.comment ?? ""}`), written: target, sureness },
          this.#context,
          fact,
        );
      }
    }
  }

  /** A type of nothing but methods is a list of things to do, its comments the groups. */
  #methods(): void {
    const { entries, name } = this.#literal;
    const methods = entries.filter(({ method }) => method === true);
    if (methods.length === 0 || methods.length < entries.length / 2) return;
    const { role, phase, section } = this.#context;
    const work =
      phase !== undefined ||
      role === "rollback" ||
      role === "step" ||
      role === "cleanup" ||
      /migrat|procedure|steps|plan$|rollout/i.test(wordsOf(name));
    const asked = role === "checklist" || /check/i.test(name);
    methods.forEach((entry, at) => {
      const text = wordsOf(entry.path);
      const base = this.#said(entry, entry.path);
      if (asked) this.#check(entry);
      else if (work || section !== undefined) {
        const back = this.#context.way === "rollback" || roleOf(entry.group ?? "") === "rollback";
        const context: Context = { ...this.#context, way: back ? "rollback" : "forward" };
        this.#reading.step(
          {
            title: text,
            text: base.text,
            line: base.line,
            order: at + 1,
            sureness: work ? "likely" : "guessed",
            why: entry.group === undefined ? base.why : `${base.why}, under "${entry.group}"`,
            defines: true,
          },
          context,
        );
      }
    });
  }

  #check(entry: CodeEntry): void {
    const ticked = typeof entry.value === "boolean" && entry.literal ? entry.value : null;
    const before = /pre|entry|before|ready|readiness|vor|avant|previ|antes|prima/i.test(
      `${this.#label} ${this.#context.section?.text ?? ""}`,
    );
    const guards = before ? "entry" : this.#context.role === "criteria" ? "success" : "exit";
    this.#reading.draft.add("checks", "check", this.#said(entry, entry.path), this.#context, {
      ticked,
      mark: "",
      guards,
      mentions: [],
      thresholds: [],
    });
  }

  #dictionary(): void {
    const { entries, name, owner } = this.#literal;
    const { role } = this.#context;
    const flat = entries.every(({ path }) => !/[.[]/.test(path));
    const texts = entries.every(({ value, literal }) => typeof value === "string" && literal);
    if (flat && (/check/i.test(name) || (role === "checklist" && /check/i.test(owner)))) {
      for (const entry of entries) this.#check(entry);
      return;
    }
    if (
      flat &&
      texts &&
      (role === "mapping" || /_to_|To[A-Z]|mapping|map$|_map\b|rename|translat|zuordnung/i.test(name))
    ) {
      for (const entry of entries)
        tellMapping(
          this.#reading,
          this.#context,
          `${entry.path} → ${textual(entry)}`,
          this.#first + entry.row,
          entry.path,
          textual(entry),
          `entry of "${name}"`,
          { columns: {}, group: name },
        );
      return;
    }
    const grouped = new Map<string, CodeEntry[]>();
    for (const entry of entries) {
      const group = /^(.+?)\[\d+\]$/.exec(entry.path)?.[1];
      if (group === undefined || typeof entry.value !== "string" || !entry.literal) return;
      grouped.set(group, [...(grouped.get(group) ?? []), entry]);
    }
    const classes = [...grouped.keys()].every((key) =>
      /^P\d$|^(?:critical|high|medium|low)$|^(?:wave|tier|group|batch|ring|class|welle|stufe|vague|onda)[ _]?\w+$/i.test(
        key,
      ),
    );
    if (classes || /priorit|wave|tier|batch|order|welle|vague/i.test(name))
      for (const [key, list] of grouped) this.#wave(key, list);
  }

  #wave(name: string, entries: readonly CodeEntry[]): void {
    const [first] = entries;
    if (first === undefined) return;
    const units = entries.map((entry) => {
      const text = textual(entry);
      return this.#reading.unit(
        {
          title: text,
          text,
          line: this.#first + entry.row,
          sureness: "certain",
          why: `entry of "${this.#literal.name}"`,
          priority: name,
          defines: true,
        },
        this.#context,
      );
    });
    const note =
      first.comment ?? this.#reading.draft.lines[this.#first + first.row - 1]?.split(/\s(?:#|\/\/)\s/)[1];
    this.#reading.draft.add("waves", "wave", this.#said(first, name), this.#context, {
      name,
      units: units.map(({ key }) => key),
      ...(note === undefined ? {} : { note: note.trim() }),
    });
  }

  #list(): void {
    const { entries, name, owner, from, to } = this.#literal;
    const texts = entries.filter(({ value, literal }) => typeof value === "string" && literal);
    const [first] = entries;
    if (
      first === undefined ||
      texts.length !== entries.length ||
      entries.some(({ path }) => path.includes("."))
    ) {
      this.#numbers();
      return;
    }
    const { draft } = this.#reading;
    const said = {
      text: name,
      line: this.#first + from,
      endLine: this.#first + to,
      sureness: "likely",
      why: "list in program text",
    } as const;
    if (this.#context.role === "contingency" || /contingenc|emergency|notfall/i.test(this.#label)) {
      const steps = entries.map((entry) => ({
        text: textual(entry),
        place: draft.place(this.#first + entry.row),
      }));
      draft.add("contingencies", "contingency", said, this.#context, {
        name: name === "" ? owner : name,
        steps,
      });
    } else if (/order|units|systems|services|modules|packages|crates|reihenfolge/i.test(name)) {
      const units = entries.map((entry, at) =>
        this.#reading.unit(
          {
            title: textual(entry),
            text: textual(entry),
            line: this.#first + entry.row,
            sureness: "likely",
            why: `entry of "${name}"`,
            order: at + 1,
            defines: true,
          },
          this.#context,
        ),
      );
      if (/order|reihenfolge/i.test(name))
        draft.add("orders", "order", said, this.#context, {
          title: name,
          from: "list",
          way: this.#context.way,
          items: units.map((unit, at) => ({
            finding: unit.key,
            text: unit.name,
            after: [],
            dependsOn: [],
            place: draft.place(this.#first + (entries[at]?.row ?? from)),
          })),
        });
    } else if (/steps|tasks|phases|procedure|schritte|étapes/i.test(name)) {
      entries.forEach((entry, at) =>
        this.#reading.step(
          {
            title: textual(entry),
            text: textual(entry),
            line: this.#first + entry.row,
            order: at + 1,
            sureness: "likely",
            why: `entry of "${name}"`,
            defines: true,
          },
          this.#context,
        ),
      );
    }
  }

  #numbers(): void {
    const { entries, name, from, to } = this.#literal;
    const values = entries.map(({ value, literal }) =>
      literal && typeof value === "number" ? value : Number.NaN,
    );
    const rising =
      values.length > 1 &&
      values.every((value, at) => value >= 0 && value <= 100 && (at === 0 || value > (values[at - 1] ?? 0)));
    if (!rising || !/roll|ramp|stage|percent|canary|traffic|share|stufe|prozent/i.test(name)) return;
    const place = this.#reading.draft.place(this.#first + from, this.#first + to);
    const said = {
      text: `${name}: ${values.join(", ")}`,
      line: this.#first + from,
      endLine: this.#first + to,
      sureness: "likely",
      why: "list of shares in program text",
    } as const;
    this.#reading.draft.add("ramps", "ramp", said, this.#context, {
      stages: entries.map(({ value, written }) => ({ percent: Number(value), text: written, place })),
    });
  }
}

/** The text of an entry; what is no text, as written. */
const textual = ({ value, written }: CodeEntry): string => (typeof value === "string" ? value : written);
