import { execFileSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Project } from "./e2e/command-line.ts";

const root = join(import.meta.dirname, "..");
const readme = readFileSync(join(root, "README.md"), "utf8");
const file = "examples/first/crossing.ts";
const cutover = (...args: readonly string[]): string =>
  execFileSync(process.execPath, [join(root, "dist/cli/main.js"), ...args], { cwd: root, encoding: "utf8" });

describe("the migration in the README", () => {
  test("is the file in examples/first, and takes at most 25 lines", () => {
    const source = readFileSync(join(root, file), "utf8").trimEnd();
    expect(readme).toContain(`\`\`\`ts\n${source}\n\`\`\``);
    expect(source.split("\n").length).toBeLessThanOrEqual(25);
  });

  test("is proven by `check` and drawn by `plan`, which leave nothing behind", () => {
    const dir = mkdtempSync(join(tmpdir(), "cutover-readme-"));
    try {
      const store = join(dir, ".cutover");
      expect(cutover("check", file, "--store", store)).toContain("work-order-queue");
      const plan = JSON.parse(cutover("plan", file, "--store", store, "--json")) as {
        phases: { name: string }[];
      };
      expect(plan.phases.map(({ name }) => name)).toEqual(["prepare", "shadow", "move", "rollout", "retire"]);
      expect(existsSync(store)).toBe(false);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

test("the queue of the README runs as it stands", () => {
  const [, source = ""] = /```ts file=queue\.ts\n([^]*?)```/.exec(readme) ?? [];
  using project = new Project();
  project.write("queue.ts", source);
  const printed = execFileSync(process.execPath, ["queue.ts"], { cwd: project.dir, encoding: "utf8" });
  expect(printed).toBe("42\n");
});

describe("the pages of the project", () => {
  const pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/guide.md", "docs/benchmarks.md"];

  test.each(pages)("%s links only to what exists", (page) => {
    const text = readFileSync(join(root, page), "utf8");
    const folder = join(root, page, "..");
    for (const [, target = ""] of text.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g))
      expect(existsSync(join(folder, target)), `${page} → ${target}`).toBe(true);
  });

  test("who installed the package has every page that the README links to", () => {
    const { files } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { files: string[] };
    const packed = (target: string): boolean =>
      files.some((each) => target.startsWith(`${each}/`) || globSync(each, { cwd: root }).includes(target));
    const linked = [...readme.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)].map(
      ([, target = ""]) => target,
    );
    expect(linked.length).toBeGreaterThan(10);
    expect(linked.filter((target) => !packed(target))).toEqual([]);
  });

  test("the README names only commands that exist", () => {
    const help = JSON.parse(cutover("help", "--json")) as { commands: Readonly<Record<string, string>> };
    const known = Object.keys(help.commands);
    const named = [...readme.matchAll(/npx cutover ([a-z]+)/g)].map(([, name]) => name);
    expect(named.length).toBeGreaterThan(5);
    for (const name of named) expect(known).toContain(name);
  });
});
