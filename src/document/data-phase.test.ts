import { describe, expect, test } from "vitest";
import { loadText } from "../../test/plans/load-text.ts";
import { dryRun } from "../plan/index.ts";
import { readDocument } from "./read-document.ts";
import { writeDefinition } from "./write-definition.ts";

const plan = [
  "# Search",
  "",
  "```yaml",
  "phases:",
  "  - name: Shadow",
  "    steps:",
  "      - mirror the queries",
  "  - name: Decommission",
  "    approval: cto",
  "    irreversible: true",
  "    steps:",
  "      - run: terraform destroy -target=module.old_search",
  "```",
  "",
].join("\n");

describe("phases in YAML", () => {
  test("that say they are irreversible go forward only, with the approval they name", async () => {
    const text = writeDefinition(readDocument(plan, { file: "PLAN.md" }));
    const { phases } = await dryRun(loadText(text).default);
    expect(phases.map(({ name, forwardOnly }) => [name, forwardOnly])).toEqual([
      ["shadow", false],
      ["decommission", true],
    ]);
    expect(text).toContain("approval: { by: 1 }");
    expect(text).toContain("irreversible: true");
  });

  test("have what they run as commands that somebody reads first", () => {
    const { commands } = readDocument(plan, { file: "PLAN.md" });
    expect(
      commands.map(({ shell, place, dangers }) => [
        shell,
        place.line,
        dangers.some((each) => each.irreversible),
      ]),
    ).toEqual([["terraform destroy -target=module.old_search", 12, true]]);
  });

  test("that say so of nothing keep their way back", () => {
    const { phases, roles } = readDocument(
      plan.replace("irreversible: true", "irreversible: false").replace("approval: cto", "approval: false"),
      {
        file: "PLAN.md",
      },
    );
    expect(phases.map(({ wayBack }) => wayBack)).toEqual([undefined, undefined]);
    expect(roles).toEqual([]);
  });
});
