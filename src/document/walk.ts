import type { Block, Heading, Paragraph } from "./block.ts";
import { splitClaim } from "./claims.ts";
import { type Context, slug } from "./draft.ts";
import { type HeadingSense, readHeading } from "./heading.ts";
import { readInline } from "./inline.ts";
import { tellFigures, tellLinks } from "./passage.ts";
import { readFence } from "./read-fence.ts";
import { readList } from "./read-list.ts";
import { readParagraph } from "./read-paragraph.ts";
import { readTable } from "./read-table.ts";
import type { Reading } from "./reading.ts";
import type { SectionRole } from "./work-finding.ts";

interface Frame {
  readonly level: number;
  readonly title: string;
  readonly context: Context;
  readonly container: boolean;
}

/** A bold line acts as a heading below all real ones, a line that ends in a colon as one below that. */
const boldLevel = 7;
const colonLevel = 8;

/** Reads the blocks of a document in order. Headings open sections; what follows is read by the section it stands in. */
export class Walk {
  readonly #reading: Reading;
  readonly #base: Context;
  #frames: Frame[] = [];

  constructor(reading: Reading, base: Context) {
    this.#reading = reading;
    this.#base = base;
  }

  read(blocks: readonly Block[]): void {
    blocks.forEach((block, index) => this.#block(block, blocks[index + 1]));
  }

  get #context(): Context {
    return this.#frames.at(-1)?.context ?? this.#base;
  }

  #block(block: Block, next: Block | undefined): void {
    const reading = this.#reading;
    const { draft } = reading;
    switch (block.type) {
      case "heading":
        this.#heading(block);
        return;
      case "rule":
        draft.form(block.line, block.endLine);
        this.#close(boldLevel);
        return;
      case "paragraph":
        this.#paragraph(block, next);
        return;
      case "list":
        readList(reading, block, this.#context);
        return;
      case "table":
        readTable(reading, block, this.#context);
        return;
      case "fence":
        readFence(reading, block, this.#context);
        return;
      case "markup":
        this.#markup(block.line, block.endLine);
    }
  }

  #close(level: number): void {
    while ((this.#frames.at(-1)?.level ?? 0) >= level) this.#frames.pop();
  }

  #heading(block: Heading): void {
    this.#close(block.level);
    const inline = readInline(block.raw);
    this.#open(inline.plain, block.level, block.line, block.endLine);
    tellLinks(this.#reading, this.#context, inline, block.line);
  }

  #markup(line: number, endLine: number): void {
    for (let at = line; at <= endLine; at++) {
      const text = (this.#reading.draft.lines[at - 1] ?? "").replace(/<[^<>]*>/g, "").trim();
      if (text === "" && !/<!--/.test(this.#reading.draft.lines[at - 1] ?? "")) this.#reading.draft.form(at);
    }
    this.#reading.draft.leave(line, endLine, "HTML is not read: write it as Markdown", this.#context);
  }

  #paragraph(block: Paragraph, next: Block | undefined): void {
    const [row = "", ...more] = block.rows;
    // In plain text the words of a chapter begin on the line below its title.
    if (more.length > 0 && !block.quoted && this.#plainHeading(row)) {
      this.#paragraph({ ...block, rows: [row], endLine: block.line }, undefined);
      this.#paragraph({ ...block, rows: more, line: block.line + 1 }, next);
      return;
    }
    const inline = readInline(block.rows.join("\n"));
    const single = block.rows.length === 1;
    const bold = inline.lead !== undefined && /^[\s:：.]*$/u.test(inline.lead.rest) && single;
    const listed = next?.type === "list" || next?.type === "fence" || next?.type === "table";
    const colon = single && /[:：]\s*$/u.test(inline.plain) && inline.plain.length < 120;
    const shouted = single && !bold && this.#plainHeading(row);
    if (bold || shouted || (colon && listed)) {
      const level = bold ? boldLevel : shouted ? headingLevel(inline.plain) : colonLevel;
      this.#close(shouted && !bold ? Math.min(level, boldLevel) : level);
      this.#open(inline.plain.replace(/[:：]\s*$/u, ""), level, block.line, block.endLine);
      return;
    }
    if (!listed) this.#close(colonLevel);
    readParagraph(this.#reading, block, inline, this.#context);
  }

  /** Headings of plain text: `PHASE 2 - MOVE`, `Phase 2: Move` alone on a line, or capitals alone on a line. */
  #plainHeading(row: string): boolean {
    const text = row.trim();
    if (text.length > 90 || /[.;,!?。]$/u.test(text)) return false;
    const sense = readHeading(splitClaim(text).title);
    if (sense.named && sense.number !== undefined && sense.role !== "step") return true;
    const letters = text.replace(/[^\p{L}]/gu, "");
    return (
      letters.length > 3 &&
      letters === letters.toUpperCase() &&
      letters !== letters.toLowerCase() &&
      !/[<>=|]/.test(text)
    );
  }

  #open(plain: string, level: number, line: number, endLine: number): void {
    const reading = this.#reading;
    const { draft } = reading;
    const above = this.#context;
    const first = reading.title === "" && level <= 2 && draft.lists.sections.length === 0;
    const bare = plain
      .replace(/^(\d)\uFE0F?\u20E3\s*/u, "$1. ")
      .replace(/^[\p{Extended_Pictographic}\uFE0F\u200d\s]+(?=[\p{L}\p{N}])/u, "");
    const { title: text, claim } = splitClaim(bare);
    const sense = readHeading(text);
    if (first) reading.title = plain;
    const role = this.#role(sense, above, level, first);
    const section = draft.add(
      "sections",
      "section",
      {
        text: plain,
        line,
        endLine,
        sureness: level <= 6 ? "certain" : "likely",
        why: level <= 6 ? "heading" : "line that acts as a heading",
      },
      above,
      {
        level: Math.min(level, boldLevel),
        ...(sense.number === undefined ? {} : { number: sense.number }),
        title: sense.title,
        role: sense.role,
        path: this.#frames.map(({ title }) => title),
      },
      draft.key("section", this.#frames.at(-1)?.title ?? "", text),
    );
    const told = {
      title: sense.title,
      ...(sense.number === undefined ? {} : { number: sense.number }),
      text: plain,
      line,
      endLine,
      sureness: sense.named ? "certain" : "guessed",
      why: level <= 6 ? "heading" : "line that acts as a heading",
      ...(claim === undefined ? {} : { claim }),
    } as const;
    let context: Context = { ...above, section, role, way: role === "rollback" ? "rollback" : above.way };
    const kind = this.#kind(sense, above, level, first);
    if (kind === "phase") {
      const known = above.role === "rollback" || above.role === "timeline" || level >= boldLevel;
      const phase = reading.phase({ ...told, defines: !known }, context);
      const { unit: _unit, step: _step, ...outer } = context;
      context = { ...outer, phase, role: above.role === "rollback" ? "rollback" : "phase" };
    } else if (kind === "unit") {
      const order = /^\d+$/.test(sense.number ?? "") ? { order: Number(sense.number) } : {};
      // `name (Days 2-3)`: what stands in brackets is told of it, it is no part of its name.
      const title = told.title.replace(/\s*[(（][^()（）]*\d[^()（）]*[)）]\s*$/u, "");
      const unit = reading.unit(
        { ...told, title: title === "" ? told.title : title, ...order, defines: true },
        context,
      );
      const { step: _step, ...outer } = context;
      context = { ...outer, unit, role: "unit" };
    } else if (kind === "step") {
      const { step: _step, ...outer } = context;
      const order = reading.stepsIn(context) + 1;
      const step = reading.step({ ...told, order, defines: true }, level >= boldLevel ? context : outer);
      // What stands below a step heading says how it is done; a role of its own (rollback, criteria) still counts.
      context = { ...outer, step, role: step.way === "rollback" ? "rollback" : "step" };
    }
    this.#frames.push({ level, title: text, context, container: sense.container });
    const read = tellFigures(reading, context, text, line, {
      role: kind === "unit" ? "effort" : context.phase === undefined ? "other" : "phase",
    });
    if (level === colonLevel && role === "rollback" && read.thresholds.length > 0) {
      const why = "a condition above what is to be done then";
      const thresholds = read.thresholds.map(({ key }) => key);
      for (const threshold of read.thresholds) threshold.sense = "limit";
      const fact = { mode: "unknown", thresholds, action: "rollback", does: "rollback" } as const;
      draft.add("triggers", "trigger", { text, line, sureness: "likely", why }, context, fact);
    }
    const attached = kind === "phase" || role === "timeline" ? context.phase : undefined;
    if (attached !== undefined)
      for (const { key } of read.durations) (attached.durations as string[]).push(key);
    if (sense.period && kind !== "phase") this.#position(text, line, context);
  }

  /** A period without a date is a place in the timetable. */
  #position(text: string, line: number, context: Context): void {
    const said = { text, line, sureness: "likely", why: "a period as a heading" } as const;
    this.#reading.draft.add("calendar", "calendar", said, context, {
      title: text,
      position: text,
      after: [],
      milestone: false,
    });
  }

  #kind(
    sense: HeadingSense,
    above: Context,
    level: number,
    first: boolean,
  ): "phase" | "unit" | "step" | "none" {
    if (first && !(sense.named && sense.number !== undefined && level > 1)) return "none";
    const { mode } = this.#reading;
    if (sense.named && sense.role === "phase") return above.phase === undefined ? "phase" : "step";
    if (sense.named && sense.role === "unit" && level <= boldLevel)
      return sense.number === undefined && level > 6 ? "none" : "unit";
    if (sense.named && sense.role === "step") return "step";
    if (above.phase !== undefined) return "none";
    if (!sense.named && this.#reading.expected.has(slug(sense.title))) return "phase";
    if (mode === "periods" && sense.period) return "phase";
    const parent = this.#frames.at(-1);
    if (
      mode === "container" &&
      parent?.container === true &&
      sense.role === "other" &&
      level === parent.level + 1
    )
      return "phase";
    if (
      mode === "numbered" &&
      sense.number !== undefined &&
      level <= 3 &&
      (sense.role === "other" || sense.role === "testing" || sense.role === "cleanup")
    )
      return "phase";
    return "none";
  }

  /** The role that counts below a heading: its own, else that of the heading above. The title gives none. */
  #role(sense: HeadingSense, above: Context, level: number, first: boolean): SectionRole {
    if (first && level === 1) return "other";
    if (sense.role === "other" || sense.role === "phase" || sense.role === "step" || sense.role === "unit") {
      return sense.role === "other" ? above.role : above.role === "rollback" ? "rollback" : sense.role;
    }
    // "Rollback triggers" below "Rollback plan" narrows; "Verification" below "Rollback" stays part of the way back.
    return above.role === "rollback" && (sense.role === "checklist" || sense.role === "order")
      ? "rollback"
      : sense.role;
  }
}

/** In plain text a phase is a chapter, a step a part of it. */
function headingLevel(text: string): number {
  const sense = readHeading(splitClaim(text).title);
  return sense.named && sense.role === "phase" ? 2 : sense.named ? 3 : 2;
}
