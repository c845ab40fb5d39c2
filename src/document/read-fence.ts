import type { Fence } from "./block.ts";
import type { Context } from "./draft.ts";
import { tellFigures } from "./passage.ts";
import { readCommands, shells, startsWithProgram } from "./read-commands.ts";
import { readDataBlock } from "./read-data.ts";
import { readLiterals } from "./read-literals.ts";
import { readPicture } from "./read-picture.ts";
import type { Reading } from "./reading.ts";

const data: ReadonlySet<string> = new Set(["yaml", "yml", "json", "jsonc", "json5", "toml"]);
const plain: ReadonlySet<string> = new Set([
  "",
  "text",
  "txt",
  "plain",
  "plaintext",
  "none",
  "md",
  "markdown",
  "tree",
  "log",
  "output",
]);
const settings: ReadonlySet<string> = new Set(["ini", "env", "dotenv", "properties", "conf"]);
const branch = /[├└│]|^\s*[|+`]--\s/;

/** Reads a block of literal text by its language. */
export function readFence(reading: Reading, block: Fence, context: Context): void {
  const { draft } = reading;
  if (block.fenced) {
    draft.form(block.line);
    if (block.closed) draft.form(block.endLine);
  }
  if (!block.closed) {
    const text = (draft.lines[block.line - 1] ?? "").trim();
    reading.defect(
      `the block that begins on line ${block.line} is never closed, so everything after it is taken as its text`,
      { line: block.line, text },
      context,
    );
  }
  const { language, rows } = block;
  if (rows.every((row) => row.trim() === "")) return;
  if (language === "mermaid") readPicture(reading, block, context);
  else if (shells.has(language)) readCommands(reading, block, context, language);
  else if (data.has(language)) readDataBlock(reading, block, context, language);
  else if (plain.has(language)) readPlain(reading, block, context);
  else if (settings.has(language)) readSettings(reading, block, context);
  else readLiterals(reading, block, context, language);
}

/** No language is named: a drawing of folders, commands, or text. */
function readPlain(reading: Reading, block: Fence, context: Context): void {
  const filled = block.rows.filter((row) => row.trim() !== "");
  if (filled.some((row) => branch.test(row))) readTree(reading, block, context);
  else if (
    filled.every((row) => (block.fenced && /^\s*(?:#|\$ |❯ )/.test(row)) || startsWithProgram(row.trim()))
  )
    readCommands(reading, block, context, "sh");
  else if (block.language === "output" || block.language === "log")
    reading.draft.leave(block.first, block.endLine, "output of a program", context);
  else
    reading.below(
      [
        {
          type: "paragraph",
          rows: block.rows.map((row) => row.trim()),
          quoted: false,
          line: block.first,
          endLine: block.first + block.rows.length - 1,
        },
      ],
      context,
    );
}

/** A tree of folders drawn with lines. Comments behind names say what becomes of them. */
function readTree(reading: Reading, block: Fence, context: Context): void {
  const trail: { indent: number; name: string }[] = [];
  block.rows.forEach((row, index) => {
    const line = block.first + index;
    const name = row.replace(/^[\s│|├└─`+-]*/, "");
    if (name.trim() === "") {
      reading.draft.form(line);
      return;
    }
    const indent = row.length - name.length;
    const [path = "", note = ""] = name.split(/\s+(?:#|\/\/|←|<-|—|–)\s*/, 2);
    while (trail.length > 0 && (trail.at(-1)?.indent ?? 0) >= indent) trail.pop();
    const whole = [...trail.map((each) => each.name.replace(/\/$/, "")), path.trim()].join("/");
    trail.push({ indent, name: path.trim() });
    const change = /\bnew\b|added|neu\b|nouveau|nuev|novo|nuovo|нов|新/iu.test(note)
      ? "created"
      : /modif|chang|geändert|изменен|修改|変更/iu.test(note)
        ? "modified"
        : /remov|delet|gelöscht|удал|删除|削除/iu.test(note)
          ? "removed"
          : /unchang|unverändert|не измен|不变/iu.test(note)
            ? "unchanged"
            : "unknown";
    tellFigures(reading, context, note, line);
    reading.draft.add(
      "artifacts",
      "artifact",
      { text: name.trim(), line, sureness: "likely", why: "a drawing of folders" },
      context,
      {
        path: whole,
        change,
        ...(note.trim() === "" ? {} : { note: note.trim() }),
      },
    );
  });
}

function readSettings(reading: Reading, block: Fence, context: Context): void {
  const { draft } = reading;
  const entries = block.rows.flatMap((row, index) => {
    const line = block.first + index;
    const found = /^\s*(?:export\s+)?([\w.-]+)\s*[=:]\s*(.*)$/.exec(row);
    if (found === null) {
      if (/^\s*[#;]/.test(row) || /^\s*\[.*\]\s*$/.test(row)) draft.tell(line);
      tellFigures(reading, context, row, line);
      return [];
    }
    const [, path = "", written = ""] = found;
    tellFigures(reading, context, row, line);
    draft.tell(line);
    return [{ path, value: written, written, literal: true, place: draft.place(line) }];
  });
  if (entries.length > 0) {
    const value = Object.fromEntries(entries.map(({ path, value }) => [path, value]));
    const said = {
      text: entries.map(({ path }) => path).join(", "),
      line: entries[0]?.place.line ?? block.first,
      sureness: "certain",
      why: "settings",
    } as const;
    draft.add("literals", "literal", said, context, {
      name: "",
      language: block.language,
      shape: "document",
      value,
      entries,
    });
  }
  draft.leave(block.first, block.endLine, "a line that is no setting", context);
}
