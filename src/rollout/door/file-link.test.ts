import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CutoverError } from "../../core/index.ts";
import { createRollout, type Rollout } from "./rollout.ts";
import { readStageFile } from "./stage-file.ts";

let folder: string;
let file: string;
let rollout: Rollout | undefined;
let errors: CutoverError[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cutover-file-"));
  file = join(folder, "stages.json");
  errors = [];
});
afterEach(async () => {
  await rollout?.close();
  rollout = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const sides = { old: (id: string) => `old ${id}`, new: (id: string) => `new ${id}`, key: (id: string) => id };
const write = (content: unknown): void =>
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
const open = (): ((id: string) => string) => {
  rollout = createRollout({ file, onError: (error) => errors.push(error) });
  return rollout.route("r", sides);
};
async function until(what: () => boolean, within = 5_000): Promise<void> {
  const end = performance.now() + within;
  while (!what()) {
    if (performance.now() > end) throw new Error(`not within ${within} ms: ${what.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
const complete = { r: { stage: "complete" } };
const off = { r: { stage: "off" } };

describe("a door with a file of stages", () => {
  test("begins with what it says, before the first call", () => {
    write(complete);
    expect(open()("x")).toBe("new x");
  });

  test("follows a file that is written over, replaced, and taken back to what it said before", async () => {
    write(off);
    const fn = open();
    expect(fn("x")).toBe("old x");
    write(complete);
    await until(() => fn("x") === "new x");
    writeFileSync(`${file}.new`, JSON.stringify(off));
    renameSync(`${file}.new`, file);
    await until(() => fn("x") === "old x");
    write(complete);
    await until(() => fn("x") === "new x");
    expect(errors).toEqual([]);
  });

  test("follows a link that a configuration system turns to another folder", async () => {
    for (const [name, content] of Object.entries({ one: complete, two: off })) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "stages.json"), JSON.stringify(content));
    }
    symlinkSync("one", join(folder, "data"));
    symlinkSync("data/stages.json", file);
    const fn = open();
    expect(fn("x")).toBe("new x");
    symlinkSync("two", join(folder, "data.new"));
    renameSync(join(folder, "data.new"), join(folder, "data"));
    await until(() => fn("x") === "old x");
  });

  test("splits keys alike in every process, whatever else the file holds", async () => {
    write({ r: { stage: "live", share: 50 }, other: { stage: "off" } });
    const fn = open();
    const first = Array.from({ length: 200 }, (_, index) => fn(`key ${index}`));
    await rollout?.close();
    write({ r: { stage: "live", share: 50 } });
    const again = open();
    expect(Array.from({ length: 200 }, (_, index) => again(`key ${index}`))).toEqual(first);
    const share = first.filter((answer) => answer.startsWith("new")).length;
    expect(share).toBeGreaterThan(60);
    expect(share).toBeLessThan(140);
  });

  test("keeps the last stage and tells once of a file that turns bad, until it is good again", async () => {
    write(complete);
    const fn = open();
    write('{ "r": { "stage": "of');
    await until(() => errors.length > 0);
    expect(fn("x")).toBe("new x");
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    expect(errors.map(({ code, place }) => [code, place])).toEqual([["CUTOVER_STAGES_INVALID", file]]);
    rmSync(file);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(fn("x")).toBe("new x");
    write(off);
    await until(() => fn("x") === "old x");
  });

  test("does not complain of a file that an editor is in the middle of writing", async () => {
    write(complete);
    const fn = open();
    write('{ "r": { "sta');
    await new Promise((resolve) => setTimeout(resolve, 60));
    write(off);
    await until(() => fn("x") === "old x");
    expect(errors).toEqual([]);
  });

  test("a route that is no longer named stays as it is, and that is told", async () => {
    write({ ...complete, other: { stage: "off" } });
    const fn = open();
    write({ other: { stage: "off" } });
    await until(() => errors.length > 0);
    expect(errors[0]?.place).toBe(`${file}: r`);
    expect(fn("x")).toBe("new x");
  });

  test("waits for a file and a folder that come later, and says what is missing", async () => {
    file = join(folder, "later/stages.json");
    const fn = open();
    expect(fn("x")).toBe("old x");
    await until(() => errors.length > 0);
    expect(errors[0]?.message).toContain("found none");
    mkdirSync(join(folder, "later"));
    write(complete);
    await until(() => fn("x") === "new x");
  });

  test("one mistake anywhere in the file changes nothing of it", async () => {
    write(off);
    const fn = open();
    write({ ...complete, other: { stage: "liv", share: 3 } });
    await until(() => errors.length > 0);
    expect(errors[0]?.place).toBe(`${file}: other.stage`);
    expect(fn("x")).toBe("old x");
  });
});

describe("the file of stages", () => {
  test.each([
    ["", ""],
    ["   \n", ""],
    ["null", ""],
    ["7", ""],
    ["{", ""],
    ['{"r":"off"}', ": r"],
    ['{"a route":{"stage":"off"}}', ": a route"],
    ['{"r":{}}', ": r.stage"],
    ['{"r":{"stage":"on"}}', ": r.stage"],
    ['{"r":{"stage":"live"}}', ": r.share"],
    ['{"r":{"stage":"live","share":"10"}}', ": r.share"],
    ['{"r":{"stage":"live","share":101}}', ": r.share"],
    ['{"r":{"stage":"live","share":-1}}', ": r.share"],
    ['{"r":{"stage":"live","shar":10}}', ": r.shar"],
    ['{"r":{"stage":"live","share":10,"epoch":4}}', ": r.epoch"],
    ['{"r":{"stage":"off","salt":""}}', ": r.salt"],
    ['[{"stage":"off"}]', ": routes[0].route"],
    ['[{"route":"r","stage":"off"},{"route":"r","stage":"off"}]', ": r"],
    ['{"routes":[7]}', ": routes[0]"],
  ])("%s is refused with its place", (text, at) => {
    expect(() => readStageFile(text, "stages.json")).toThrow(
      expect.objectContaining({ code: "CUTOVER_STAGES_INVALID", place: `stages.json${at}` }),
    );
  });

  test("may be what `cutover route --json` prints, or a copy of routes.json, or begin with a byte order mark", () => {
    const state = { route: "r", stage: "live", share: 25, epoch: 3, salt: "abc" };
    const read = [{ route: "r", stage: "live", share: 25, salt: "abc" }];
    expect(readStageFile(JSON.stringify([state]), "f")).toEqual(read);
    expect(readStageFile(JSON.stringify({ savedAt: 1, routes: [state] }), "f")).toEqual(read);
    expect(readStageFile(`\ufeff${JSON.stringify([state])}`, "f")).toEqual(read);
  });

  test("may name a route after a member of every object", () => {
    expect(readStageFile('{"__proto__":{"stage":"off"},"constructor":{"stage":"off"}}', "f")).toHaveLength(2);
  });
});
