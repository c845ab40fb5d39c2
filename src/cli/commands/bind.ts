import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import { CutoverError } from "../../core/index.ts";
import { bindClaim, type Bound, type Evidence, lineDifference } from "../../document/index.ts";
import { plural } from "../../report/index.ts";
import type { Command, CommandContext } from "../command.ts";
import { differenceLines } from "../draw/difference.ts";
import { span } from "../draw/line.ts";
import { findDefinition } from "../find-definition.ts";
import { loadMigration, loadModule } from "../load-migration.ts";
import { leftAsItWas, replaceFile } from "../replace-file.ts";

const sorts = ["command", "metric", "data", "approval"] as const;

export const command: Command = {
  usage: "bind FILE CLAIM --command TEXT | --metric CODE | --data MODULE#NAME | --approval N",
  help: [
    'Puts evidence in the place of an unproven("…"): a command that exits with 0, a measure, a function that looks at data, a person. CLAIM is its text, its line in the plan (PLAN.md:31) or the name of its step.',
    "The rest of the file stays as it is, but for imports. What does not load afterwards is refused, and the file is left as it was.",
  ],
  options: {
    command: { type: "string", value: "TEXT", help: "a command line; with quotes or pipes, sh reads it" },
    metric: { type: "string", value: "CODE", help: "a measure, e.g. 'rate.error().below(0.001)'" },
    data: {
      type: "string",
      value: "MODULE#NAME",
      help: "a function that answers true, false or { ok, note }",
    },
    approval: { type: "string", value: "N", help: "so many people approve; a step: one person does it" },
    "dry-run": { type: "boolean", help: "show the difference, write nothing" },
  },
  words: 2,
  async run(context) {
    const [named, words] = context.args.positionals;
    if (named === undefined || words === undefined)
      throw usage(
        "expected a definition and a claim",
        'write cutover bind crossing.ts "all tests pass" --command "npm test"',
      );
    const file = await findDefinition(named, context, () => Promise.resolve(undefined));
    const source = await readFile(file, "utf8");
    const evidence = await evidenceOf(context, file);
    const bound = bindClaim(source, words, evidence, relative(context.cwd, file));
    const left = context.args.flag("dry-run") ? undefined : await replaceBound(context, file, source, bound);
    say(context, file, source, bound, left);
    return 0;
  },
};

/** Resolves with how many claims are left. */
async function replaceBound(
  context: CommandContext,
  file: string,
  source: string,
  bound: Bound,
): Promise<number> {
  await replaceFile(file, bound.text, {
    fresh: false,
    pid: context.pid,
    tried: async (beside) => {
      try {
        await loadMigration(beside);
      } catch (thrown) {
        throw leftAsItWas(file, beside, thrown, "the file would not load any more");
      }
      // Somebody may have saved the file while the new one was tried.
      if ((await readFile(file, "utf8")) !== source)
        throw new CutoverError("CUTOVER_BIND_INVALID", {
          message: "expected the file as it was read, found it changed meanwhile",
          place: file,
          remedy: "run the command again",
        });
    },
  });
  return bound.text.match(/\bunproven\(/g)?.length ?? 0;
}

async function evidenceOf(context: CommandContext, file: string): Promise<Evidence> {
  const given = sorts.filter((sort) => context.args.text(sort) !== undefined);
  const [sort, ...more] = given;
  if (sort === undefined || more.length > 0)
    throw usage(
      `expected one of --command, --metric, --data and --approval, found ${given.length === 0 ? "none" : given.map((each) => `--${each}`).join(" and ")}`,
      "name the evidence once",
    );
  const value = context.args.text(sort)?.trim() ?? "";
  if (value === "" || value.includes("\0"))
    throw usage(`expected a value for --${sort}, found an empty one`, "see `cutover help bind`");
  switch (sort) {
    case "command":
      return { sort, run: argumentsOf(value) };
    case "metric":
      return { sort, expression: value };
    case "approval": {
      if (!/^[1-9]\d{0,2}$/.test(value))
        throw usage(
          `expected a number of people for --approval, found ${JSON.stringify(value)}`,
          "write --approval 1",
        );
      return { sort, by: Number(value) };
    }
    case "data":
      return await probeOf(context, file, value);
  }
}

/** Without a word only a shell understands, it is an argument list. */
const argumentsOf = (line: string): readonly string[] =>
  /[|&;<>()$`\\"'*?[\]{}~#=!\n]/.test(line) ? ["sh", "-c", line] : line.split(/\s+/);

async function probeOf(context: CommandContext, file: string, value: string): Promise<Evidence> {
  const [, module = "", name = ""] = /^(.+)#([A-Za-z_$][\w$]*)$/s.exec(value) ?? [];
  if (module === "")
    throw usage(
      `expected a module and the name of a function for --data, found ${JSON.stringify(value)}`,
      "write --data ./proofs.ts#backupRestores",
    );
  const path = resolve(context.cwd, module);
  if (!existsSync(path))
    throw new CutoverError("CUTOVER_BIND_INVALID", {
      message: "expected a module for --data, found no such file",
      place: path,
      remedy: "name a file, relative to the folder you are in",
    });
  const loaded = await loadModule(path);
  if (typeof loaded[name] !== "function")
    throw new CutoverError("CUTOVER_BIND_INVALID", {
      message: `expected a function ${name}, found ${loaded[name] === undefined ? "no such export" : `a ${typeof loaded[name]}`}`,
      place: path,
      details: { exports: Object.keys(loaded) },
      remedy: `export one: export const ${name} = async () => ({ ok: true, note: "what it saw" });`,
    });
  const near = relative(dirname(file), path).replaceAll("\\", "/");
  return { sort: "data", module: near.startsWith(".") ? near : `./${near}`, name };
}

function say(
  context: CommandContext,
  file: string,
  source: string,
  bound: Bound,
  left: number | undefined,
): void {
  const { terminal, json } = context;
  const { claim, code, text } = bound;
  const near = relative(context.cwd, file) || file;
  const difference = lineDifference(source, text);
  if (json) {
    terminal.json({
      file,
      written: left !== undefined,
      claim: {
        text: claim.text,
        role: claim.role,
        phase: claim.phase ?? null,
        from: claim.from ?? null,
        line: claim.line,
      },
      code,
      difference: difference.filter(({ change }) => change !== "same"),
      unproven: left ?? null,
    });
    return;
  }
  for (const line of differenceLines(difference)) terminal.line(line);
  terminal.line("");
  if (left === undefined)
    terminal.line([span("nothing was written", "wait"), span(`; without --dry-run, ${near} becomes so`)]);
  else {
    terminal.line([
      span("✔", "good"),
      span(` ${claim.text}`),
      span(` · ${plural(left, "claim")} without proof left in ${near}`, "dim"),
    ]);
    terminal.line(`  next: npx cutover plan ${near}`);
  }
}

const usage = (message: string, remedy: string): CutoverError =>
  new CutoverError("CUTOVER_CLI_USAGE", { message, remedy, details: { command: "bind" } });
