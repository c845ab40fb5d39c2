import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSync } from "oxc-parser";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
interface Manifest {
  readonly exports: Readonly<Record<string, { readonly "cutover-source": string } | string>>;
}
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;

/** Names a door exports, types marked, sorted. */
function namesOf(file: string): readonly string[] {
  const { module } = parseSync(file, readFileSync(join(root, file), "utf8"));
  return module.staticExports
    .flatMap(({ entries }) =>
      entries.map(({ exportName, isType }) => `${isType ? "type " : ""}${exportName.name ?? "*"}`),
    )
    .toSorted((a, b) => a.replace("type ", "").localeCompare(b.replace("type ", "")));
}

describe("the public surface", () => {
  const doors = Object.entries(manifest.exports).flatMap(([door, target]) =>
    typeof target === "string" ? [] : [[door.replace(".", "cutover"), target["cutover-source"]] as const],
  );

  test("is what it was: a name that comes or goes is a decision, not an accident", async () => {
    const text = doors.map(([door, file]) => `## ${door}\n\n${namesOf(file).join("\n")}\n`).join("\n");
    await expect(text).toMatchFileSnapshot("exports.txt");
  });

  test.each(doors)("%s names everything it exports", (_, file) => {
    expect(namesOf(file)).not.toContain("*");
    expect(namesOf(file).length).toBeGreaterThan(1);
  });

  test.each(doors)("%s can be imported as it is published", async (door, file) => {
    const published = (await import(
      join(root, file.replace("src/", "dist/").replace(".ts", ".js"))
    )) as object;
    const values = namesOf(file).filter((name) => !name.startsWith("type "));
    expect(Object.keys(published).toSorted(), door).toEqual([...values].toSorted());
  });
});
