import type { Clock } from "../../core/index.ts";
import { type Answer, type Dialect, done, type Program, type Statement } from "../sql/program.ts";
import type { Sql } from "../sql/write-context.ts";
import type { Connection } from "./connection.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Reader } from "./reader.ts";

export const sqliteDialect: Dialect = {
  name: "sqlite",
  hex: (column) => `lower(hex(${column}))`,
  text: (column) => column,
  eventData: (table) => `${table}.data`,
};

/** Runs the shared programs without a pause: reads at once, writes inside the transaction of their turn. */
export function sqliteSql(reader: Reader, writer: GroupCommit, clock: Clock): Sql {
  return {
    read: (program) => reader.read((db) => runProgram(db, program())),
    write: (work) =>
      writer.write((tx) => {
        const now = clock.now();
        return runProgram(
          tx.db,
          work({
            now,
            append: (stream, event) => done(() => tx.append(now, stream, event)),
          }),
        );
      }),
  };
}

/** Carries a program out on one connection, to its end. */
export function runProgram<T>(db: Connection, program: Program<T>): T {
  let step = program.next();
  while (step.done !== true) {
    let answer: Answer;
    try {
      answer = execute(db, step.value);
    } catch (error) {
      step = program.throw(error);
      continue;
    }
    step = program.next(answer);
  }
  return step.value;
}

function execute(db: Connection, { sql, values, wants }: Statement): Answer {
  if (wants === "count") return { rows: [], count: db.run(sql, ...values) };
  const rows = wants === "arrays" ? db.rows(sql, ...values) : db.all(sql, ...values);
  return { rows: rows as Answer["rows"], count: rows.length };
}
