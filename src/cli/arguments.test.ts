import { describe, expect, test } from "vitest";
import type { RunRecord, RunState } from "../store/index.ts";
import { chooseRun } from "./choose-run.ts";
import { command as route } from "./commands/route.ts";
import { commands } from "./commands.ts";
import { lineWidth } from "./draw/line.ts";
import { exitOf } from "./exit-code.ts";
import { commandPage } from "./help-pages.ts";
import { tooOld } from "./node-version.ts";
import { everyCommand, readArguments } from "./parse-arguments.ts";

const run = (id: string, state: RunState): RunRecord => ({
  id,
  migration: "queue",
  hash: "",
  source: "crossing.ts",
  state,
  reason: "",
  createdAt: 0,
  updatedAt: 0,
  owner: null,
  fence: 0,
});

describe("the command line", () => {
  test("options and words are told apart, in any order", () => {
    const args = readArguments("route", route, ["--share", "10", "queue.submit", "--json", "--stage=live"]);
    expect(args.positionals).toEqual(["queue.submit"]);
    expect([args.text("share"), args.text("stage"), args.flag("json"), args.flag("help")]).toEqual([
      "10",
      "live",
      true,
      false,
    ]);
  });

  test("an unknown option, a missing value and one word too many are refused", () => {
    for (const argv of [["--shar", "10"], ["--share"], ["a", "b"], ["--json=yes"]]) {
      expect(() => readArguments("route", route, argv)).toThrow(
        expect.objectContaining({ code: "CUTOVER_CLI_USAGE" }),
      );
    }
  });

  test.each([
    [["--shar", "10"], "expected an option of cutover route, found --shar; did you mean --share?"],
    [["--zzzzzz"], "expected an option of cutover route, found --zzzzzz"],
    [["-z"], "expected an option of cutover route, found -z"],
    [["--share"], "expected a value for --share, found none"],
    [["--json=yes"], "expected --json without a value, found one"],
  ])("%j is refused with what was expected, what was found, and what it may have meant", (argv, message) => {
    expect(() => readArguments("route", route, argv)).toThrow(expect.objectContaining({ message }));
  });

  test.each([40, 80, 200])("every help page fits %i columns", async (columns) => {
    for (const [name, { load, summary }] of Object.entries(commands)) {
      const { command } = await load();
      const lines = commandPage(name, command, summary, columns).map(lineWidth);
      expect(Math.max(...lines), name).toBeLessThanOrEqual(columns);
    }
  });

  test("every command has a page, and no option of its own hides one that all have", async () => {
    for (const [name, entry] of Object.entries(commands)) {
      const { command } = await entry.load();
      expect(`${command.usage} `.startsWith(`${name} `), name).toBe(true);
      expect(Object.keys(command.options).filter((option) => option in everyCommand)).toEqual([]);
    }
  });

  test("a Node that cannot strip types is told from one that can", () => {
    expect(["20.20.2", "22.17.9", "22.18.0", "24.0.0"].map(tooOld)).toEqual([true, true, false, false]);
  });
});

describe("which run is meant", () => {
  const runs = [run("r3", "COMPLETED"), run("r2", "HOLDING"), run("r1x", "ROLLED_BACK")];

  test("the only unfinished one, or the newest where that is asked for", () => {
    expect(chooseRun(runs, { typed: undefined, otherwise: "unfinished" }).id).toBe("r2");
    expect(chooseRun([run("r9", "COMPLETED")], { typed: undefined, otherwise: "newest" }).id).toBe("r9");
  });

  test("the one that was typed, or whose id begins so", () => {
    expect(chooseRun(runs, { typed: "r3", otherwise: "unfinished" }).id).toBe("r3");
    expect(chooseRun(runs, { typed: "r1", otherwise: "unfinished" }).id).toBe("r1x");
  });

  test("an empty id is refused, where it was the beginning of the only one", () => {
    for (const typed of ["", " "])
      expect(() => chooseRun([run("r1", "RUNNING")], { typed, otherwise: "newest" })).toThrow(
        expect.objectContaining({ code: "CUTOVER_CLI_USAGE" }),
      );
  });

  test("none, or one of several, is refused with what there is", () => {
    const refused = expect.objectContaining({ code: "CUTOVER_RUN_NOT_FOUND" });
    expect(() => chooseRun([], { typed: undefined, otherwise: "newest" })).toThrow(refused);
    expect(() => chooseRun(runs, { typed: "r", otherwise: "newest" })).toThrow(refused);
    expect(() =>
      chooseRun([run("a", "PAUSED"), run("b", "RUNNING")], { typed: undefined, otherwise: "newest" }),
    ).toThrow(refused);
  });
});

test("exit codes tell how a run stands", () => {
  const states: readonly RunState[] = [
    "COMPLETED",
    "RUNNING",
    "HOLDING",
    "PAUSED",
    "ROLLED_BACK",
    "ROLLBACK_STUCK",
  ];
  expect(states.map(exitOf)).toEqual([0, 0, 3, 3, 4, 5]);
});
