import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import { CutoverError } from "../../core/index.ts";
import {
  type Change,
  findingLists,
  type Inventory,
  isImported,
  lineDifference,
  type Merged,
  mergeDefinition,
  readDocument,
  readDocumentFile,
  writeDefinition,
} from "../../document/index.ts";
import { plural } from "../../report/index.ts";
import type { Command, CommandContext } from "../command.ts";
import { differenceLines } from "../draw/difference.ts";
import { changeLines, inventoryLines, unplacedLines } from "../draw/inventory-lines.ts";
import { span } from "../draw/line.ts";
import { lintOptions, lintPlan, wantsLint } from "../lint-plan.ts";
import { loadMigration } from "../load-migration.ts";
import { commonJsManifest } from "../module-type.ts";
import { fileExists, leftAsItWas, replaceFile } from "../replace-file.ts";
import { readInput } from "../standard-input.ts";

export const command: Command = {
  usage: "import PLAN.md [--out FILE]",
  help: [
    "Reads a written plan and writes it as a definition: what it shows no proof of stands there as unproven, and a run holds at it. Nothing of the plan is run. With - the plan is read from the standard input.",
    "Onto a definition that an earlier import wrote, it brings what changed in the plan: what people bound or wrote stays. What the plan no longer has goes where nobody touched it; else it is told and kept, until --prune.",
    "Any other file is not touched without --force.",
    "With --lint nothing is written: it tells what usually sinks such plans, each with its line. Exit code 2 when it finds errors, 0 otherwise; warnings do not change it.",
  ],
  options: {
    out: { type: "string", value: "FILE", help: "the definition (default crossing.ts)" },
    force: { type: "boolean", help: "write it anew, whatever is there" },
    prune: { type: "boolean", help: "also remove what was bound and is gone from the plan" },
    "dry-run": { type: "boolean", help: "show what would be written, write nothing" },
    unplaced: { type: "boolean", help: "show each line of the plan that could not be read, and why" },
    ...lintOptions,
  },
  words: 1,
  async run(context) {
    const named = context.args.positionals[0];
    if (named === undefined)
      throw new CutoverError("CUTOVER_CLI_USAGE", {
        message: "expected a written plan, found none",
        remedy: "usage: cutover import PLAN.md [--out FILE]; - reads the standard input",
      });
    if (wantsLint(context)) return await lintPlan(context, named);
    if (context.args.flag("force") && context.args.flag("prune"))
      throw new CutoverError("CUTOVER_CLI_USAGE", {
        message: "expected --force or --prune, found both",
        remedy: "--force writes the file anew; --prune keeps it and removes what the plan no longer has",
      });
    const out = resolve(context.cwd, context.args.text("out") ?? usualName(context.cwd));
    if (!/\.[cm]?[jt]s$/.test(out))
      throw new CutoverError("CUTOVER_CLI_USAGE", {
        message: `expected --out to name a TypeScript file, found ${JSON.stringify(relative(context.cwd, out))}`,
        remedy: "let it end in .ts, for example --out crossing.ts",
      });
    const { inventory, name } = await readPlan(context, named, out);
    const written = await writePlan(context, out, inventory, name);
    say(context, out, inventory, written);
    return 0;
  },
};

/** Where Node reads .ts files as CommonJS, a definition has to end in .mts. */
const usualName = (cwd: string): string =>
  commonJsManifest(cwd) === undefined ? "crossing.ts" : "crossing.mts";

async function readPlan(
  context: CommandContext,
  named: string,
  out: string,
): Promise<{ readonly inventory: Inventory; readonly name: string }> {
  if (named === "-")
    return { inventory: readDocument(await readInput(), { file: "stdin.md" }), name: "stdin.md" };
  const path = resolve(context.cwd, named);
  const inventory = await readDocumentFile(path);
  return { inventory, name: relative(dirname(out), path).replaceAll("\\", "/") };
}

interface Written {
  /** The file's text before; undefined where there was none. */
  readonly before: string | undefined;
  readonly text: string;
  readonly merged: Merged | undefined;
  /** False for a dry run, and when nothing changed. */
  readonly done: boolean;
}

async function writePlan(
  context: CommandContext,
  out: string,
  inventory: Inventory,
  document: string,
): Promise<Written> {
  const before = existsSync(out) ? await readFile(out, "utf8") : undefined;
  const fresh = writeDefinition(inventory, { document });
  const flag = (option: string): boolean => context.args.flag(option);
  const merges = before !== undefined && !flag("force");
  if (merges && !isImported(before)) throw fileExists(out);
  const merged = merges ? mergeDefinition(before, fresh, { prune: flag("prune"), file: out }) : undefined;
  const text = merged?.text ?? fresh;
  const done = !flag("dry-run") && text !== before;
  if (done)
    await replaceFile(out, text, {
      fresh: before === undefined,
      pid: context.pid,
      // What was merged is people's code as well: it has to load before it takes the file's place.
      ...(merged === undefined ? {} : { tried: (beside: string) => mustLoad(out, beside) }),
    });
  return { before, text, merged, done };
}

async function mustLoad(out: string, beside: string): Promise<void> {
  try {
    await loadMigration(beside);
  } catch (thrown) {
    throw leftAsItWas(out, beside, thrown, "with the changes of the plan the file would not load");
  }
}

function say(context: CommandContext, out: string, inventory: Inventory, written: Written): void {
  const { terminal, json, cwd } = context;
  const { merged, before, text, done } = written;
  const near = relative(cwd, out) || out;
  const changes = merged?.changes ?? [];
  if (json) {
    terminal.json(answer(out, inventory, written));
    return;
  }
  const width = terminal.columns();
  for (const line of inventoryLines(inventory, width)) terminal.line(line);
  if (context.args.flag("unplaced")) for (const line of unplacedLines(inventory)) terminal.line(line);
  terminal.line("");
  if (merged !== undefined) for (const line of changeLines(changes)) terminal.line(line);
  if (context.args.flag("dry-run")) {
    if (before === undefined || merged === undefined) terminal.write(text);
    else for (const line of differenceLines(lineDifference(before, text))) terminal.line(line);
    terminal.line([span("nothing was written", "wait")]);
    return;
  }
  const claims = text.match(/\bunproven\(/g)?.length ?? 0;
  const what =
    before === undefined
      ? "written"
      : !done
        ? "as it was"
        : merged === undefined
          ? "written anew"
          : "brought up to date";
  terminal.line([
    span("✔ ", "good"),
    span(`${near} ${what}`),
    span(` · ${plural(claims, "claim")} without proof`, "dim"),
  ]);
  nextCommands(context, near, inventory);
}

function answer(out: string, inventory: Inventory, { before, text, merged, done }: Written): object {
  const { filled, placed } = inventory.lines;
  return {
    document: inventory.file,
    hash: inventory.hash,
    format: inventory.format,
    out,
    written: done,
    fresh: before === undefined,
    text,
    counts: Object.fromEntries(findingLists.map((list) => [list, inventory[list].length])),
    lines: {
      ...inventory.lines,
      placedPercent: filled === 0 ? 100 : Math.round((placed / filled) * 1000) / 10,
    },
    changes:
      merged?.changes.map((change: Change) => ({
        ...change,
        place: change.place ?? null,
        line: change.line ?? null,
      })) ?? null,
    inventory,
  };
}

function nextCommands(context: CommandContext, near: string, inventory: Inventory): void {
  const claim = inventory.checks[0]?.text ?? inventory.steps[0]?.text;
  const rows: readonly (readonly [string, string])[] = [
    [`cutover plan ${near}`, "see what would happen, and what has no proof"],
    ...(claim === undefined || claim.length > 40 || /["\\$`!]/.test(claim)
      ? []
      : [[`cutover bind ${near} "${claim}" --command "…"`, "say how a claim is shown"] as const]),
    [`cutover run ${near}`, "carry it to the first claim without proof"],
  ];
  const wide = Math.max(...rows.map(([command]) => command.length));
  for (const [command, says] of rows)
    context.terminal.line([span(`  npx ${command.padEnd(wide)}`, "bold"), span("  "), span(says, "dim")]);
}
