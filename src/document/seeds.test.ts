import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { allFindings, type Inventory, readDocument } from "./index.ts";

/** Five written plans that lie beside the project where it is built; elsewhere these tests are skipped, by name. */
const folder = resolve(import.meta.dirname, "../../../shared/seeds");
const present = existsSync(folder);
const plans = present ? readdirSync(folder).toSorted() : [];
const textOf = (plan: string): string => readFileSync(join(folder, plan), "utf8");
const known = new Map<string, Inventory>();
function read(start: string): Inventory {
  const plan = plans.find((name) => name.startsWith(start)) ?? "";
  const found = known.get(plan) ?? readDocument(textOf(plan), { file: plan.replace(/\.txt$/, ".md") });
  known.set(plan, found);
  return found;
}

/** A reader that knows nothing of the other: it looks at lines with small expressions and counts what must be found. */
function plainly(
  text: string,
): Record<"task" | "row" | "duration" | "percent" | "comparison" | "command" | "value", [number, string][]> {
  const found = {
    task: [],
    row: [],
    duration: [],
    percent: [],
    comparison: [],
    command: [],
    value: [],
  } as ReturnType<typeof plainly>;
  let fence: string | undefined;
  let continued = false;
  text.split("\n").forEach((line, index) => {
    const at = index + 1;
    const mark = /^\s*```(\w*)/.exec(line);
    if (mark !== null) {
      fence = fence === undefined ? (mark[1] ?? "") : undefined;
      return;
    }
    const program = fence !== undefined && ["python", "typescript", "rust", "go"].includes(fence);
    if (fence === undefined && /^\s*[-*] \[[ xX]\]/.test(line)) found.task.push([at, line]);
    if (fence === undefined && line.startsWith("|") && !/^\|[\s|:-]+\|\s*$/.test(line))
      found.row.push([at, line]);
    if (!program) {
      for (const [written] of line.matchAll(
        /\b\d+(?:\.\d+)?(?:[ -])(?:minutes?|hours?|days?|weeks?|hour)\b/g,
      ))
        found.duration.push([at, written]);
      for (const [written] of line.matchAll(/(?<![\w.])\d+(?:\.\d+)?%/g)) found.percent.push([at, written]);
      for (const [written] of line.matchAll(/[<>]=? ?\d+(?:\.\d+)?/g))
        if (!/--|=>|->/.test(line)) found.comparison.push([at, written]);
    }
    if (
      fence === "bash" &&
      line.trim() !== "" &&
      !/^\s*#/.test(line) &&
      !/^[A-Z][\w ]+: /.test(line) &&
      !continued
    )
      found.command.push([at, line]);
    continued = fence === "bash" && line.endsWith("\\");
    if ((fence === "yaml" || fence === "toml") && /^\s*(?:- .+|[\w"-]+\s*[:=]\s*\S.*)$/.test(line))
      found.value.push([at, line]);
  });
  return found;
}

describe.skipIf(!present)("a plan of the five (skipped where ../shared/seeds is absent)", () => {
  test.each(plans)(
    "%s: every item, row, figure, command and value is found or named as not placed, 95 % are found",
    (plan) => {
      const text = textOf(plan);
      const inventory = read(plan);
      const expected = plainly(text);
      const has = (
        list: readonly { readonly place: { readonly line: number; readonly endLine: number } }[],
        line: number,
      ): boolean => list.some(({ place }) => place.line <= line && line <= place.endLine);
      const { checks, durations, percents, thresholds, commands, literals, unplaced } = inventory;
      const told = allFindings(inventory).filter(({ kind }) => kind !== "section" && kind !== "note");
      const missing: string[] = [];
      let all = 0;
      let placed = 0;
      for (const [kind, items] of Object.entries(expected)) {
        for (const [line, written] of items) {
          const digits = /\d+(?:\.\d+)?/.exec(written)?.[0] ?? "";
          const header = kind === "row" && /^\s*\|[\s|:-]+\|\s*$/.test(text.split("\n")[line] ?? "");
          if (header) continue;
          const ok =
            kind === "task"
              ? has(checks, line)
              : kind === "row"
                ? has(told, line)
                : kind === "duration"
                  ? durations.some((each) => each.place.line === line && each.written.includes(digits))
                  : kind === "percent"
                    ? percents.some((each) => each.place.line === line && each.written.includes(digits))
                    : kind === "comparison"
                      ? thresholds.some((each) => each.place.line === line && each.numberText === digits)
                      : kind === "command"
                        ? has(commands, line)
                        : literals.some((each) =>
                            each.entries.some(({ place }) => place.line <= line && line <= place.endLine),
                          );
          all++;
          if (ok) placed++;
          else if (!has(unplaced, line)) missing.push(`${kind} ${line}: ${written}`);
        }
      }
      expect(missing).toEqual([]);
      expect(placed / all).toBeGreaterThanOrEqual(0.95);
      expect(all).toBeGreaterThan(7);
    },
  );

  test.each(plans)(
    "%s: each line that holds something is told or not placed, and no number is altered",
    (plan) => {
      const lines = textOf(plan).split("\n");
      const inventory = read(plan);
      const known = [
        ...allFindings(inventory),
        ...inventory.literals.flatMap(({ entries }) => entries),
        ...inventory.unplaced,
      ];
      const spans = new Set(
        known.flatMap(({ place }) =>
          Array.from({ length: place.endLine - place.line + 1 }, (_, at) => place.line + at),
        ),
      );
      const form =
        /^[\s|:\-=`*_{}()[\];,]*$|^\s*```|^\s*(?:graph|gantt|subgraph|end|title|dateFormat|section)\b|^\| [^|]*(?:\|[^|]*)*\|$/;
      const silent = lines.flatMap((line, at) =>
        form.test(line) || spans.has(at + 1) ? [] : [`${at + 1}: ${line}`],
      );
      expect(silent).toEqual([]);
      for (const { numberText, place } of inventory.thresholds)
        expect(lines.slice(place.line - 1, place.endLine).join("\n")).toContain(numberText);
      for (const { written, place } of [...inventory.durations, ...inventory.percents])
        expect(lines[place.line - 1]).toContain(written);
      for (const { shell, place } of inventory.commands)
        expect(
          lines
            .slice(place.line - 1, place.endLine)
            .join(" ")
            .replace(/\s+/g, " "),
        ).toContain(shell.split(/\s+/)[0]);
    },
  );

  test("the clean slate: eight modules in order, six mapped functions, commands that move and delete trees", () => {
    const { units, mappings, commands, orders, checks, phases } = read("000");
    expect(phases.map(({ number }) => number)).toEqual(["3", "4", "5"]);
    expect(units.map(({ name }) => name)).toEqual([
      "Common utilities",
      "IO core",
      "IO mapping",
      "Nano system",
      "Nano validation",
      "Nano transport",
      "Nano core",
      "Main",
    ]);
    expect(units.find(({ name }) => name === "Nano validation")?.after).toEqual([
      "unit:common-utilities",
      "unit:nano-system",
    ]);
    expect(units.find(({ name }) => name === "IO mapping")?.dependsOn).toEqual(["io core", "rkllm"]);
    expect(orders[0]?.items).toHaveLength(8);
    expect(mappings.map((each) => [each.old, each.new])).toContainEqual([
      "method_init()",
      "rkllm_proxy_init()",
    ]);
    expect(mappings).toHaveLength(6);
    expect(mappings[0]).toMatchObject({ about: "function", columns: { "Current File": "src/io/io.c" } });
    const dangerous = (kind: string): readonly string[] =>
      commands
        .filter(({ dangers }) => dangers.some((danger) => danger.kind === kind))
        .map(({ shell }) => shell);
    expect(dangerous("moves")).toHaveLength(5);
    expect(dangerous("deletes")).toEqual([
      "rm -rf src_old_backup/",
      "rm -rf tests_old_backup/",
      "rm -rf migration_temp/",
    ]);
    expect(commands.filter(({ dangers }) => dangers.some(({ irreversible }) => irreversible))).toHaveLength(
      3,
    );
    expect(checks).toHaveLength(15);
  });

  test("the fleet: waves P0 to P4, five automatic and three manual triggers, six checks, four phases with durations", () => {
    const { waves, triggers, checks, phases, durations, mappings, contingencies, risks, units } = read("001");
    expect(waves.map(({ name }) => name)).toEqual(["P0", "P1", "P2", "P3", "P4"]);
    expect(units.filter(({ glob }) => glob).map(({ name }) => name)).toEqual([
      "data_processing_*",
      "monitoring_*",
      "experimental_*",
    ]);
    expect(triggers.filter(({ mode }) => mode === "automatic")).toHaveLength(5);
    expect(triggers.filter(({ mode }) => mode === "manual").map(({ text }) => text)).toEqual([
      "team_decision",
      "customer_impact",
      "data_corruption_risk",
    ]);
    expect(checks.map(({ text }) => text)).toEqual([
      "backup_exists",
      "tests_passing",
      "dependencies_mapped",
      "rollback_plan",
      "monitoring_setup",
      "team_notified",
    ]);
    const written = (key: string | undefined): string | undefined =>
      durations.find((each) => each.key === key)?.written;
    expect(phases.map((phase) => [phase.title, written(phase.durations[0])])).toEqual([
      ["pilot", "3 days"],
      ["expansion", "1 week"],
      ["majority", "1 week"],
      ["completion", "3 days"],
    ]);
    expect(phases.map(({ wayBack }) => wayBack?.forwardOnly)).toEqual([false, false, false, true]);
    expect(mappings).toHaveLength(7);
    expect(contingencies.map(({ steps }) => steps.length)).toEqual([6, 6, 6]);
    expect(risks.map(({ level }) => level)).toEqual(["high", "high", "medium", "medium", "low"]);
  });

  test("the crates: six packages in order, 22 days and a buffer, the first one claimed done", () => {
    const { units, totals, durations, efforts, commands, checks } = read("002");
    expect(units.map(({ name, order }) => `${order} ${name}`)).toEqual([
      "1 worker-rbee-error",
      "2 worker-rbee-health",
      "3 worker-rbee-startup",
      "4 worker-rbee-sse-streaming",
      "5 worker-rbee-http-server",
      "6 worker-rbee-inference-base",
    ]);
    expect(units[0]?.claim?.state).toBe("done");
    expect(units[2]?.after).toEqual(["unit:worker-rbee-error"]);
    const written = (keys: readonly string[]): readonly (string | undefined)[] =>
      keys.map((key) => durations.find((each) => each.key === key)?.written);
    expect(written(efforts.map(({ duration }) => duration))).toEqual([
      "0 days",
      "1 day",
      "2 days",
      "4 days",
      "6 days",
      "9 days",
    ]);
    const [total] = totals;
    expect(written(total?.parts ?? [])).toEqual(["22 days"]);
    expect(written(total?.restated ?? [])).toEqual(["4.5 weeks"]);
    expect(written(total?.buffer ?? [])).toEqual(["1 week"]);
    expect(written([total?.result ?? ""])).toEqual(["5 weeks"]);
    expect(commands.find(({ shell, place }) => shell === "cargo test" && place.line > 30)?.cwd).toBe(
      "libs/worker-rbee-crates/error",
    );
    expect(checks).toHaveLength(50);
  });

  test("the engine: five phases with calendar dates, and the order of the rollback", () => {
    const { phases, calendar, orders, criteria } = read("003");
    const dates = phases.map((phase) =>
      calendar.find(({ key, start }) => phase.calendar.includes(key) && start !== undefined),
    );
    expect(dates.map((entry) => [entry?.start, entry?.end, entry?.days])).toEqual([
      ["2025-12-01", "2025-12-15", 14],
      ["2025-12-15", "2026-01-05", 21],
      ["2026-01-05", "2026-02-02", 28],
      ["2026-02-02", "2026-02-23", 21],
      ["2026-02-23", "2026-03-09", 14],
    ]);
    const back = orders.find(({ way }) => way === "rollback");
    expect(back?.items.map(({ text }) => text)).toEqual([
      "Phase 4 Rollback",
      "Phase 3 Rollback",
      "Phase 2 Rollback",
      "Phase 1 Rollback",
    ]);
    expect(criteria).toHaveLength(6);
  });

  test("the queue: four phases, the ramp 0/10/50/100, four limits with actions, seven states of which two are new", () => {
    const { phases, ramps, thresholds, mappings, checks, risks, artifacts } = read("004");
    expect(phases.map(({ title }) => title)).toEqual([
      "Parallel Implementation (Non-Breaking)",
      "Feature Flag Integration",
      "Gradual Rollout",
      "Legacy Removal",
    ]);
    expect(ramps.map(({ stages }) => stages.map(({ percent }) => percent))).toEqual([[0, 10, 50, 100]]);
    const limits = thresholds.filter(({ action }) => action !== undefined);
    expect(
      limits.map(({ measure, comparison, number, unit, does }) => [measure, comparison, number, unit, does]),
    ).toEqual([
      ["Error rate", ">", 1, "%", "pause"],
      ["p99 latency", ">", 2, "×", "alert"],
      ["Queue depth growth", ">", 10, "/min", "alert"],
      ["Memory usage", ">", 90, "%", "throttle"],
    ]);
    expect(limits[1]).toMatchObject({ baseline: "baseline", quantile: 0.99, action: "Investigate" });
    expect(mappings).toHaveLength(7);
    expect(mappings.filter(({ old }) => old === null).map((each) => each.new)).toEqual([
      "WAITING_RETRY",
      "CANCELLED",
    ]);
    expect(checks).toHaveLength(12);
    expect(risks).toHaveLength(4);
    expect(artifacts.filter(({ change }) => change === "created").length).toBeGreaterThanOrEqual(8);
  });
});
