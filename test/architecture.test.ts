import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { parseSync } from "oxc-parser";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
const source = join(root, "src");

interface SourceFile {
  /** Relative to `src`, e.g. `engine/carrier.ts`. */
  readonly path: string;
  readonly room: string;
  readonly text: string;
  readonly imports: readonly string[];
  readonly starExports: number;
  readonly nodes: readonly Node[];
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly [member: string]: unknown;
}

const files: readonly SourceFile[] = globSync("**/*.ts", { cwd: source })
  .filter((path) => !path.endsWith(".test.ts"))
  .map(read);

function read(path: string): SourceFile {
  const text = readFileSync(join(source, path), "utf8");
  const { module, program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message ?? ""}`);
  const dynamic = module.dynamicImports
    .map(({ moduleRequest: { start, end } }) => text.slice(start, end))
    .flatMap((request) => (/^(["']).*\1$/.test(request) ? [request.slice(1, -1)] : []));
  const reexports = module.staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ moduleRequest }) => (moduleRequest === null ? [] : [moduleRequest.value])),
  );
  const imports = module.staticImports.map(({ moduleRequest }) => moduleRequest.value);
  const nodes = [...walk(program as unknown as Node)];
  return {
    path,
    room: path.includes("/") ? (path.split("/")[0] ?? "") : "",
    text,
    imports: [...new Set([...imports, ...reexports, ...dynamic])],
    starExports: nodes.filter((node) => node.type === "ExportAllDeclaration").length,
    nodes,
  };
}

function* walk(node: Node): Generator<Node> {
  yield node;
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? (value as readonly unknown[]) : [value]) {
      if (typeof child === "object" && child !== null && "type" in child) yield* walk(child as Node);
    }
  }
}

/** The table "Rooms" of ARCHITECTURE.md: room → rooms it may import. */
function arrows(): ReadonlyMap<string, readonly string[]> {
  const page = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
  const rows = page.matchAll(/^\| `(\w+)`\s*\|[^|]*\|\s*([^|]*?)\s*\|$/gm);
  const table = [...rows].map(([, room = "", may = ""]) => [room, may] as const);
  const all = table.map(([room]) => room);
  return new Map(
    table.map(([room, may]) => {
      if (may === "nothing") return [room, []];
      return [room, may === "all" ? all : may.split(/\s+/)];
    }),
  );
}

const at = (file: SourceFile, node: Node): string =>
  `src/${file.path}:${file.text.slice(0, node.start).split("\n").length}`;

const member = (node: Node, object: string, property?: string): boolean => {
  if (node.type !== "MemberExpression") return false;
  const left = node["object"] as Node;
  const right = node["property"] as Node;
  if (left.type !== "Identifier" || left["name"] !== object) return false;
  return property === undefined || right["name"] === property;
};

const map = arrows();

/** What a single file may take from a library, and where that was decided. */
const libraries: Readonly<Record<string, string>> = {
  "queue/schedule-time.ts": "croner", // docs/decisions/0009-cron-by-croner.md
  // docs/decisions/0018-readers-of-documents.md
  "document/markdown.ts": "markdown-it",
  "document/yaml.ts": "yaml",
  "document/toml.ts": "smol-toml",
  // docs/decisions/0019-packages-of-data.md
  "data/steps/configure-yaml.ts": "yaml",
};

/** Rooms that tests use, not programs: they may bring the test's own tools. */
const testTools = new Set(["vitest", "fast-check"]);

/**
 * What single files may take from the process besides the command line, and why. Signals, descriptors and identity
 * of this process are facts; its standard streams, exit, arguments and environment belong to `cli`.
 */
const processFacts: Readonly<Record<string, readonly string[]>> = {
  // A process that has an LMDB open names itself to those that open it too.
  "data/connectors/lmdb-opening.ts": ["pid"],
  // A door names itself by its process, so that its reports are told from those of other processes.
  "rollout/door/rollout.ts": ["pid"],
  // Ends the process group of a command that it started itself.
  "plan/process-group.ts": ["kill"],
  // A command inherits the environment, as from a shell.
  "plan/run-command.ts": ["env"],
  // Tokens for what is measured stand in the environment, so that no definition holds a secret.
  "metrics/http-figure.ts": ["env"],
  // The one place where the queue's sandboxes meet the machine: children, their groups and their environment.
  "queue/machine.ts": ["env", "kill", "pid"],
  // In a thread it is the thread's own: what ends it is placed before it does.
  "queue/sandboxes/thread-entry.ts": ["default"],
  // The monotonic clock that all threads of the process share; `performance` begins anew in each.
  "queue/heartbeat.ts": ["hrtime"],
  "queue/heartbeat-thread.ts": ["hrtime"],
};

describe("the rooms of the house", () => {
  test("every folder of src is a room of ARCHITECTURE.md, and every room a folder", () => {
    const folders = new Set(files.map((file) => file.room).filter((room) => room !== ""));
    expect([...folders].toSorted()).toEqual([...map.keys()].toSorted());
  });

  test("a room imports only the rooms behind its arrow, and only through their doors", () => {
    const wrong: string[] = [];
    for (const file of files) {
      for (const wanted of file.imports.filter((specifier) => specifier.startsWith("."))) {
        const target = relative(source, resolve(source, dirname(file.path), wanted));
        if (target.startsWith("..")) {
          if (!wanted.endsWith(".json")) wrong.push(`src/${file.path} imports ${wanted}, outside src`);
          continue;
        }
        const room = target.includes("/") ? (target.split("/")[0] ?? "") : "";
        if (room === file.room) continue;
        if (file.room !== "" && !(map.get(file.room) ?? []).includes(room)) {
          wrong.push(`src/${file.path} imports ${room}: there is no such arrow`);
        }
        if (target !== `${room}/index.ts`) wrong.push(`src/${file.path} imports ${target}: not a door`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("what runs in an application's hot path knows neither the plan nor anything beyond core and gates", () => {
    const door = files.filter((file) => file.path.startsWith("rollout/door/"));
    expect(door.length).toBeGreaterThan(0);
    const wrong = door.flatMap((file) =>
      file.imports.filter((wanted) => /\/(plan|store|engine|report|server|cli)\/|\/steps\//.test(wanted)),
    );
    expect(wrong).toEqual([]);
  });

  test("nothing but Node itself and the libraries that were decided on is needed at run time", () => {
    const foreign = files.flatMap((file) =>
      file.imports
        .filter((specifier) => !specifier.startsWith(".") && !specifier.startsWith("node:"))
        .filter((specifier) => file.room !== "testing" || !testTools.has(specifier))
        .filter((specifier) => libraries[file.path] !== specifier)
        .map((specifier) => `src/${file.path} imports ${specifier}`),
    );
    expect(foreign).toEqual([]);
  });

  test("imports inside a room and between rooms form no circle", () => {
    const graph = new Map(
      files.map((file) => [
        file.path,
        // A type-only import vanishes; a circle of values is what breaks at load.
        valueImports(file).map((wanted) => join(dirname(file.path), wanted)),
      ]),
    );
    expect(circles(graph)).toEqual([]);
  });

  test("each room has one door with names of its own choice", () => {
    const doors = new Set(
      files.filter((file) => basename(file.path) === "index.ts").map((file) => file.path),
    );
    const missing = [...map.keys()].filter((room) => room !== "cli" && !doors.has(`${room}/index.ts`));
    expect(missing).toEqual([]);
    expect(files.filter((file) => file.starExports > 0).map((file) => file.path)).toEqual([]);
  });
});

/** May ask where they lie: the one that knows, and one that only asks for a package of the application. */
const placed: ReadonlySet<string> = new Set(["core/own-files.ts", "rollout/door/journal-disk.ts"]);

describe("the habits of the house", () => {
  test("only the command line touches the process and the console", () => {
    const wrong = files
      .filter((file) => file.room !== "cli")
      .flatMap((file) => [
        ...file.nodes
          .filter((node) => member(node, "process") || member(node, "console"))
          .map((node) => at(file, node)),
        ...processImports(file)
          .filter((name) => !(processFacts[file.path] ?? []).includes(name))
          .map((name) => `src/${file.path} imports ${name} from node:process`),
      ]);
    expect(wrong).toEqual([]);
  });

  test("the clock and timers come in as parameters", () => {
    const wrong = files
      .filter((file) => file.room !== "cli" && file.path !== "core/clock.ts")
      .flatMap((file) => file.nodes.filter(readsTime).map((node) => at(file, node)));
    expect(wrong).toEqual([]);
  });

  test("files that come with the program are found by core alone: a bundled module lies elsewhere", () => {
    const wrong = files
      .filter((file) => !placed.has(file.path))
      .flatMap((file) =>
        file.nodes.filter(({ type }) => type === "MetaProperty").map((node) => at(file, node)),
      );
    expect(wrong).toEqual([]);
  });

  test("no file is longer than 400 lines", () => {
    const long = files.filter((file) => file.text.split("\n").length > 401).map((file) => file.path);
    expect(long).toEqual([]);
  });

  test("nothing is typed any", () => {
    const wrong = files.flatMap((file) =>
      file.nodes.filter((node) => node.type === "TSAnyKeyword").map((node) => at(file, node)),
    );
    expect(wrong).toEqual([]);
  });

  test("no attic: no file is named after nothing in particular", () => {
    const attics = files.filter((file) =>
      /^(utils?|helpers?|common|misc|shared)\.ts$/.test(basename(file.path)),
    );
    expect(attics.map((file) => file.path)).toEqual([]);
  });

  test("every fault point stands in its room's list, and every listed one stands in the code", () => {
    const wrong: string[] = [];
    for (const room of map.keys()) {
      const own = files.filter((file) => file.room === room);
      const list = own.find((file) => basename(file.path) === "fault-points.ts");
      const listed = new Set(strings(list, new RegExp(`^${room}\\.`)));
      const used = own
        .filter((file) => file !== list)
        .flatMap((file) => strings(file, new RegExp(`^${room}\\.[a-z-]+\\.[a-z-]+`)));
      for (const name of used)
        if (!listed.has(name)) wrong.push(`${name} is not in src/${room}/fault-points.ts`);
      for (const name of listed)
        if (!used.includes(name)) wrong.push(`${name} stands nowhere in src/${room}`);
    }
    expect(wrong).toEqual([]);
  });
});

/** Names that a file imports from `node:process`; `default` for all of it. */
function processImports(file: SourceFile): readonly string[] {
  return file.nodes
    .filter(
      (node) => node.type === "ImportDeclaration" && (node["source"] as Node)["value"] === "node:process",
    )
    .flatMap((node) => node["specifiers"] as readonly Node[])
    .map(
      (specifier) =>
        ((specifier["imported"] as Node | undefined)?.["name"] as string | undefined) ?? "default",
    );
}

function readsTime(node: Node): boolean {
  if (member(node, "Date", "now") || member(node, "performance", "now")) return true;
  if (node.type === "NewExpression" && (node["callee"] as Node)["name"] === "Date") {
    return (node["arguments"] as readonly Node[]).length === 0;
  }
  if (node.type !== "CallExpression") return false;
  const name = (node["callee"] as Node)["name"];
  return name === "setTimeout" || name === "setInterval";
}

/** String literals of a file that match. */
function strings(file: SourceFile | undefined, pattern: RegExp): readonly string[] {
  return (file?.nodes ?? []).flatMap((node) =>
    node.type === "Literal" && typeof node["value"] === "string" && pattern.test(node["value"])
      ? [node["value"]]
      : [],
  );
}

function valueImports(file: SourceFile): readonly string[] {
  return file.nodes
    .filter(
      (node) => /^(ImportDeclaration|ExportNamedDeclaration)$/.test(node.type) && node["source"] !== null,
    )
    .filter((node) => node["importKind"] !== "type" && node["exportKind"] !== "type")
    .filter((node) => {
      const specifiers = (node["specifiers"] ?? []) as readonly Node[];
      const kinds = specifiers.map((each) => each["importKind"] ?? each["exportKind"]);
      return specifiers.length === 0 || kinds.some((kind) => kind !== "type");
    })
    .flatMap((node) => {
      const wanted = (node["source"] as Node | undefined)?.["value"];
      return typeof wanted === "string" && wanted.startsWith(".") ? [wanted] : [];
    });
}

/** One path for each circle found, e.g. `a.ts → b.ts → a.ts`. */
function circles(graph: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start !== -1) {
      found.push([...trail.slice(start), path].join(" → "));
      return;
    }
    if (done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}
