import type { Fence } from "./block.ts";
import { type DataReading, jsonOf, leavesOf } from "./data-tree.ts";
import { type Context } from "./draft.ts";
import { tellFigures } from "./passage.ts";
import type { Reading } from "./reading.ts";
import { readToml } from "./toml.ts";
import { readYaml } from "./yaml.ts";
import { DataWords } from "./data-words.ts";

/** A fenced document of YAML, JSON or TOML: kept whole as a literal, and read by the words of its keys. */
export function readDataBlock(reading: Reading, block: Fence, context: Context, language: string): void {
  const { draft } = reading;
  const text = block.rows.join("\n");
  const read = parse(text, language);
  const last = block.first + block.rows.length - 1;
  if ("defect" in read) {
    const line = Math.min(block.first + read.defect.row, last);
    reading.defect(
      `${language}: ${read.defect.message}`,
      { line, text: (draft.lines[line - 1] ?? "").trim() },
      context,
    );
    draft.leave(
      block.first,
      last,
      `this block is not ${language}: ${read.defect.message} (line ${line})`,
      context,
    );
    return;
  }
  const { tree } = read;
  const entries = [...leavesOf(tree)].map(({ path, leaf }) => ({
    path,
    value: jsonOf(leaf),
    written: leaf.written,
    literal: true,
    ...(leaf.comment === undefined ? {} : { comment: leaf.comment }),
    place: draft.place(block.first + leaf.from, block.first + leaf.to),
  }));
  const name = tree.shape === "map" ? tree.children.map(({ key }) => key).join(", ") : "";
  const said = {
    text: name === "" ? language : name,
    line: block.first,
    endLine: last,
    sureness: "certain",
    why: `a block of ${language}`,
  } as const;
  draft.add("literals", "literal", said, context, {
    name: "",
    language,
    shape: "document",
    value: jsonOf(tree),
    entries,
  });
  block.rows.forEach((row, index) => {
    const comment = /(?:^|\s)(?:#|\/\/)\s(.*)$/.exec(row)?.[1];
    if (comment !== undefined) tellFigures(reading, context, comment, block.first + index);
    if (/^[\s{}[\],]*$|^\s*(?:---|\.\.\.)\s*$/.test(row)) draft.form(block.first + index);
  });
  // Package manifests are settings of a build, not words of the plan.
  const words = language === "toml" ? undefined : new DataWords(reading, block.first);
  if (words === undefined)
    for (const { leaf, path } of leavesOf(tree))
      tellFigures(reading, context, `${path} = ${leaf.written}`, block.first + leaf.from);
  else words.read(tree, context, "");
}

function parse(text: string, language: string): DataReading {
  if (language === "toml") return readToml(text);
  if (language !== "json") {
    const source = language.startsWith("json") ? text.replace(/(^|[\s,{[])\/\/.*$/gm, "$1") : text;
    return readYaml(source);
  }
  try {
    JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const at = Number(/position (\d+)/.exec(message)?.[1] ?? 0);
    const row = text.slice(0, at).split("\n").length - 1;
    return { defect: { message: message.split("\n")[0] ?? "", row } };
  }
  // JSON is part of YAML except for tabs, which matter only outside of texts here.
  return readYaml(text.replace(/^\t+/gm, (tabs) => "  ".repeat(tabs.length)));
}
