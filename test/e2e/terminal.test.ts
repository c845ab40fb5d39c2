import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { textWidth } from "../../src/cli/draw/text-width.ts";
import { openQueue } from "../../src/queue/index.ts";
import { type Ended, Project, root, until } from "./command-line.ts";
import { copyRows, failing, withApproval } from "./crossings.ts";

let project: Project;
beforeEach(() => {
  project = new Project();
});
afterEach(() => project[Symbol.dispose]());

const hasScript = spawnSync("script", ["--version"]).status === 0;
if (!hasScript && process.env["CI"] === "true")
  throw new Error("expected `script` (Debian: bsdutils), found none");

/** Runs a command on a pseudo-terminal of this size and gives back all that it wrote there. */
function onTerminal(columns: number, command: string, environment: NodeJS.ProcessEnv = {}): string {
  const main = join(root, "dist/cli/main.js");
  const inside = `stty cols ${columns} rows 24; "${process.execPath}" "${main}" ${command}; true`;
  return execFileSync("script", ["-qec", inside, "/dev/null"], {
    cwd: project.dir,
    encoding: "utf8",
    timeout: 25_000,
    env: { ...process.env, NODE_OPTIONS: "", NO_COLOR: "", TERM: "xterm-256color", ...environment },
  });
}

describe.skipIf(!hasScript)("on a terminal (needs the program `script`)", () => {
  test.each([80, 60, 40])(
    "a run paints a live tree that fits %i columns, and leaves the last picture and the cursor",
    (columns) => {
      project.write("crossing.ts", failing);
      const written = onTerminal(columns, "run");
      expect(written).toContain("\u001b[?25l");
      expect(written.lastIndexOf("\u001b[?25h")).toBeGreaterThan(written.lastIndexOf("\u001b[?25l"));

      const frames = written.slice(0, written.lastIndexOf("\u001b[?25h"));
      const lines = stripVTControlCharacters(frames).split(/\r?\n/);
      expect(Math.max(...lines.map(textWidth))).toBeLessThanOrEqual(columns);

      const left = stripVTControlCharacters(written.slice(written.lastIndexOf("\u001b[?25h")));
      expect(left).toContain("↩ move");
      expect(left).toContain("next: mend the cause");
    },
  );

  test("colours are there for a person, and gone with NO_COLOR", () => {
    project.write("crossing.ts", withApproval);
    const colour = "\u001b[3";
    expect(onTerminal(80, "run --until-held")).toContain(colour);
    expect(onTerminal(80, "status")).toContain(colour);
    expect(onTerminal(80, "status", { NO_COLOR: "1" })).not.toContain(colour);
  });

  test("an error on a narrow terminal is wrapped between words", () => {
    const written = stripVTControlCharacters(onTerminal(50, "run nowhere.ts"));
    for (const line of written.split(/\r?\n/).slice(0, 2)) expect(textWidth(line)).toBeLessThanOrEqual(50);
    expect(written).toContain("CUTOVER_PLAN_NOT_FOUND");
  });
});

describe("when its reader has gone, as behind `| head -1`,", () => {
  const readOne = async (...words: readonly string[]): Promise<Ended> => {
    const running = project.start(words);
    await until(() => running.output().includes("\n"), "the first line");
    running.child.stdout?.destroy();
    return await running.ended;
  };

  test.each([[[]], [["--json"]]])("a command that watches a queue ends with 0: %j", async (more) => {
    await (await openQueue(`sqlite:${project.path("work.db")}`)).stop();
    const words = ["queue", "stats", "--watch", "--every", "100ms", "--store", "sqlite:work.db", ...more];
    expect(await readOne(...words)).toMatchObject({ code: 0, stderr: "" });
  });

  test("one that watches a run ends too, and the run goes on", async () => {
    project.write("crossing.ts", copyRows);
    const run = project.start(["run"]);
    await until(() => existsSync(project.path("go.awaited")), "five rows copied");
    expect((await readOne("watch", "--json")).code).toBe(0);
    run.child.stdout?.destroy();
    project.write("go", "");
    expect((await run.ended).code).toBe(0);
    expect(project.lines("ledger.txt").at(-1)).toBe("row 9");
  });
});
