import type { Block, Fence } from "./block.ts";
import { dangersOf } from "./danger.ts";
import type { Context } from "./draft.ts";
import { readName } from "./heading.ts";
import { tellFigures } from "./passage.ts";
import type { Reading } from "./reading.ts";
import { argvOf, readShell, senseOf } from "./shell.ts";
import { tellField } from "./tell-field.ts";

export const shells: ReadonlySet<string> = new Set(
  "bash|sh|shell|zsh|fish|console|shell-session|shellsession|terminal|powershell|ps1|pwsh|cmd|bat|batch|sql|psql|mysql|plsql|ksh|csh".split(
    "|",
  ),
);

/** Adds the commands of a block. They are looked at, never run. */
export function readCommands(reading: Reading, block: Fence, context: Context, language: string): void {
  const { draft } = reading;
  const sql = /sql/.test(language) ? "sql" : language;
  const { commands, notes, facts, output } = readShell(block.rows, sql);
  let inner = context;
  for (const command of commands) {
    const line = block.first + command.from;
    const endLine = block.first + command.to;
    if (command.noteFrom !== undefined) {
      const top = block.first + command.noteFrom;
      // A comment like `Step 2: …` or `Day 8: …` above a command says when it is its turn.
      inner = commentStep(reading, command.note ?? "", top, context) ?? inner;
      for (let at = command.noteFrom; at < command.from; at++) {
        const text = (block.rows[at] ?? "").trim();
        if (text === "") continue;
        const why = "comment above a command";
        draft.add(
          "notes",
          "note",
          { text: text.replace(/^(?:#|--)+\s*/, ""), line: block.first + at, sureness: "certain", why },
          inner,
          { role: "point" },
        );
        tellFigures(reading, inner, text, block.first + at);
      }
    }
    const said = {
      text: command.shell,
      line,
      endLine,
      sureness: "certain",
      why: `command in a block of ${language === "" ? "text" : language}`,
    } as const;
    const made = draft.add("commands", "command", said, inner, senseOf(command, language));
    if (inner.step !== undefined) (inner.step.commands as string[]).push(made.key);
    const behind = /\s#\s(.*)$/.exec(block.rows[command.from] ?? "")?.[1];
    if (behind !== undefined) tellFigures(reading, inner, behind, line);
  }
  for (const { text, row } of notes) {
    const line = block.first + row;
    tellFigures(reading, context, text, line);
    draft.add(
      "notes",
      "note",
      { text, line, sureness: "certain", why: "comment in a block of commands" },
      context,
      { role: "point" },
    );
  }
  for (const { name, value, row } of facts) {
    const line = block.first + row;
    const text = `${name}: ${value}`;
    if (tellField(reading, name, value, text, line, line, context)) continue;
    tellFigures(reading, context, text, line);
    const said = { text, line, sureness: "likely", why: "a name with a value, which is no command" } as const;
    draft.add("rows", "row", said, context, {
      table: context.section?.title ?? "",
      cells: { [name]: value },
    });
  }
  for (const row of output) draft.leave(block.first + row, block.first + row, "output of a command", context);
}

function commentStep(reading: Reading, note: string, line: number, context: Context): Context | undefined {
  const sense = readName(note);
  if (!sense.named || sense.role !== "step" || context.step !== undefined) return undefined;
  const order = reading.draft.lists.steps.length + 1;
  const number = sense.number === undefined ? {} : { number: sense.number };
  const step = reading.step(
    {
      title: sense.title,
      ...number,
      text: note,
      line,
      order,
      sureness: "likely",
      why: "comment above a command",
      defines: true,
    },
    context,
  );
  return { ...context, step };
}

const programs: RegExp =
  /^(?:sudo |\$ )?(?:\.{0,2}\/[\w./-]+|git|npm|npx|pnpm|yarn|node|bun|deno|cargo|rustup|go|make|cmake|mvn|gradle|\.\/gradlew|python3?|pip3?|poetry|pytest|tox|ruby|bundle|rake|rails|php|composer|docker|docker-compose|podman|kubectl|helm|terraform|ansible(?:-playbook)?|aws|gcloud|az|psql|pg_dump|pg_restore|mysql|mysqldump|dropdb|createdb|dropuser|redis-cli|mongodump|mongosh|sqlite3|curl|wget|ssh|scp|rsync|rm|rmdir|unlink|shred|mv|cp|mkdir|ln|chmod|chown|tar|systemctl|service|nginx|haproxy|cutover|flyway|liquibase|alembic|prisma|knex|dotnet|java|bazel|nx|turbo|just|bash|sh)(?=\s|$)/;

/** What takes something away in a database, written without its client. */
const statements =
  /^(?:drop\s+(?:table|database|schema|index|view|column|user|collection)|truncate|delete\s+from)\s+[\w"`[]/i;

/** Commands in backticks inside a sentence: those that begin with a known program and have something to do. */
export function tellMentioned(
  reading: Reading,
  codes: readonly string[],
  line: number,
  context: Context,
): readonly string[] {
  return codes.filter(isCommand).map((code) => {
    const shell = code.replace(/^\$ /, "");
    const said = {
      text: shell,
      line,
      written: code,
      sureness: "likely",
      why: "a command in backticks inside a sentence",
    } as const;
    const sense = senseOf({ shell, argv: argvOf(shell), cwd: null }, statements.test(shell) ? "sql" : "");
    return reading.draft.add("commands", "command", said, context, sense).key;
  });
}

const isCommand = (code: string): boolean =>
  (statements.test(code) ||
    (programs.test(code) && (/\s/.test(code) || /^\.{1,2}\/\S+\.\w+$|^make$/.test(code)))) &&
  code.length < 500;

/** Whether words in backticks or a block below them hold a command that nothing brings back. */
export function holdsDeletion(codes: readonly string[], below: readonly Block[]): boolean {
  const blocks = below.flatMap((block) =>
    block.type === "fence" && shells.has(block.language.toLowerCase()) ? [block.rows.join("\n")] : [],
  );
  return [...codes.filter(isCommand), ...blocks].flatMap(dangersOf).some(({ irreversible }) => irreversible);
}

export const startsWithProgram = (line: string): boolean => programs.test(line);
