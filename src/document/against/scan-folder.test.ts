import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { scanFolder } from "../index.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "cutover-scan-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (file: string, text: string): void => {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), text);
};

/** `queued@a.json:2 done@…` of one field. */
const valuesOf = async (field: string): Promise<string> => {
  const { values } = await scanFolder(folder);
  const found = values.find((each) => each.field === field)?.values ?? [];
  return found
    .map(({ value, count, first }) => `${value}${count > 1 ? `×${count}` : ""}@${first.file}:${first.line}`)
    .join(" ");
};

describe("values in data", () => {
  test("are found in JSON by their path, through lists, with count and line", async () => {
    write(
      "orders.json",
      '{\n  "orders": [\n    { "status": "queued" },\n    { "status": "done" },\n    { "status": "queued" }\n  ]\n}\n',
    );
    expect(await valuesOf("orders.status")).toBe("queued×2@orders.json:3 done@orders.json:4");
  });

  test("are found in JSON lines, YAML and CSV with quotes and line breaks inside", async () => {
    write("log.jsonl", '{"state":"a"}\n\n{"state":"b"}\n');
    write("jobs.yaml", "jobs:\n  - phase: open\n  - phase: shut\n");
    write("list.csv", 'id,kind\n1,"one, and\nmore"\n2,two\n3,"say ""hi"""\n');
    expect(await valuesOf("state")).toBe("a@log.jsonl:1 b@log.jsonl:3");
    expect(await valuesOf("jobs.phase")).toBe("open@jobs.yaml:2 shut@jobs.yaml:3");
    expect(await valuesOf("kind")).toBe('two@list.csv:4 say "hi"@list.csv:5');
  });

  test("are counted by SQLite itself, and nothing is written beside the file", async () => {
    const database = new DatabaseSync(join(folder, "old.db"));
    database.exec(
      "pragma journal_mode=wal; create table orders (id integer, status text); insert into orders values (1,'queued'),(2,'done'),(3,'queued')",
    );
    database.close();
    const before = readdirSync(folder);
    const changed = statSync(join(folder, "old.db")).mtimeMs;
    expect(await valuesOf("orders.status")).toBe("done@old.db:1 queued×2@old.db:1");
    expect(readdirSync(folder)).toEqual(before);
    expect(statSync(join(folder, "old.db")).mtimeMs).toBe(changed);
  });

  test("a field with names instead of states is let go of", async () => {
    write(
      "many.jsonl",
      Array.from({ length: 500 }, (_, at) => `{"id":"n${at}","status":"s${at % 3}"}`).join("\n"),
    );
    expect(await valuesOf("id")).toBe("");
    expect(await valuesOf("status")).toContain("s2×166");
  });
});

describe("values in code", () => {
  const cases: readonly (readonly [string, string, string, string])[] = [
    [
      "TypeScript enum",
      "a.ts",
      'export enum State {\n  // "no"\n  Queued = "queued",\n  Done = "done",\n}\n',
      "enum State|queued@a.ts:3 done@a.ts:4",
    ],
    [
      "TypeScript union",
      "a.ts",
      'type State =\n  | "queued" // "no"\n  | "done";\n',
      "type State|queued@a.ts:2 done@a.ts:3",
    ],
    [
      "TypeScript field",
      "a.ts",
      'interface Order { status?: "queued" | "done"; }\n',
      "`status`|queued@a.ts:1 done@a.ts:1",
    ],
    [
      "constant object",
      "a.js",
      'const map = { queued: "PENDING", done: "FINISHED" };\n',
      "keys of map|queued@a.js:1 done@a.js:1",
    ],
    [
      "list",
      "a.ts",
      'export const STATES = ["queued", "done"] as const;\n',
      "STATES|queued@a.ts:1 done@a.ts:1",
    ],
    [
      "Python enum",
      "a.py",
      'class State(str, Enum):\n    """Doc."""\n    QUEUED = "queued"  # "no"\n    DONE = "done"\n\ndef f(): pass\n',
      "enum State|queued@a.py:3 done@a.py:4",
    ],
    [
      "Python Literal",
      "a.py",
      'State = Literal["queued", "done"]\n',
      "Literal State|queued@a.py:1 done@a.py:1",
    ],
    [
      "Python dictionary",
      "a.py",
      'MAP = {\n    "queued": "PENDING",\n    "done": "FINISHED",\n}\n',
      "values of MAP|PENDING@a.py:2 FINISHED@a.py:3",
    ],
    [
      "Go constants",
      "a.go",
      'const (\n\tQueued State = "queued"\n\tDone   State = "done"\n)\n',
      "const State|queued@a.go:2 done@a.go:3",
    ],
    [
      "Go iota",
      "a.go",
      "const (\n\tQueued State = iota\n\tDone\n)\n",
      "const State|Queued@a.go:2 Done@a.go:3",
    ],
    [
      "Rust enum with serde",
      "a.rs",
      '#[derive(Serialize)]\n#[serde(rename_all = "snake_case")]\npub enum State {\n    WaitingRetry,\n    #[serde(rename = "ok")]\n    Done(u8),\n}\n',
      "enum State|waiting_retry@a.rs:4 ok@a.rs:6",
    ],
    ["C enum", "a.h", "enum state { QUEUED, /* NO, */ DONE = 4 };\n", "enum state|QUEUED@a.h:1 DONE@a.h:1"],
    [
      "Java enum",
      "A.java",
      'public enum State {\n  QUEUED("queued"), DONE("done");\n  private final String id;\n}\n',
      "enum State|queued@A.java:2 done@A.java:2",
    ],
    [
      "Protobuf enum",
      "a.proto",
      "enum State {\n  QUEUED = 0;\n  DONE = 1;\n}\n",
      "enum State|QUEUED@a.proto:2 DONE@a.proto:3",
    ],
    [
      "GraphQL enum",
      "a.graphql",
      "enum State {\n  QUEUED\n  DONE\n}\n",
      "enum State|QUEUED@a.graphql:2 DONE@a.graphql:3",
    ],
    [
      "SQL check",
      "a.sql",
      "create table o (status text check (status in ('queued', 'done')));\n",
      "sql status|queued@a.sql:1 done@a.sql:1",
    ],
  ];
  test.each(cases)("are found in a %s", async (_, file, text, wanted) => {
    write(file, text);
    const [field = "", values = ""] = wanted.split("|");
    expect(await valuesOf(field)).toBe(values);
  });
});

describe("a folder as real ones are", () => {
  test("damaged and empty files are named with their reason, the rest is read", async () => {
    write("good.json", '{ "status": "queued" }');
    write("cut.json", '{ "status": "que');
    write("empty.json", "");
    const { files, unread } = await scanFolder(folder);
    expect(files).toBe(1);
    expect(unread.map(({ file }) => file)).toEqual(["cut.json", "empty.json"]);
    expect(unread[1]?.reason).toBe("an empty file");
  });

  test("links and folders of tools are passed over", async () => {
    write("node_modules/a/x.json", '{ "status": "no" }');
    write("in/x.json", '{ "status": "yes" }');
    symlinkSync("/etc", join(folder, "out"));
    symlinkSync(folder, join(folder, "loop"));
    expect(await valuesOf("status")).toBe("yes@in/x.json:1");
  });

  test("one that is not there is refused", async () => {
    await expect(scanFolder(join(folder, "none"))).rejects.toMatchObject({
      code: "CUTOVER_DOCUMENT_UNREADABLE",
    });
  });

  test("nothing of it is changed", async () => {
    write("a.json", '{ "status": "queued" }');
    const before = readFileSync(join(folder, "a.json"));
    await scanFolder(folder);
    expect(readFileSync(join(folder, "a.json")).equals(before)).toBe(true);
  });
});
