import { describe, expect, test } from "vitest";
import { loadText } from "../../test/plans/load-text.ts";
import { dryRun, type PlanReport } from "../plan/index.ts";
import { actionOf, sentencesOf } from "./conditions.ts";
import type { Inventory } from "./inventory.ts";
import { readDocument } from "./read-document.ts";
import { writeDefinition } from "./write-definition.ts";

const read = (plan: string): Inventory => readDocument(plan, { file: "PLAN.md" });
const written = (plan: string): string => writeDefinition(read(plan));
const planOf = async (plan: string): Promise<PlanReport> => await dryRun(loadText(written(plan)).default);

const canary = [
  "# Moving the events",
  "",
  "## Phase 1: Mirror",
  "",
  "Start it. Consumer lag must stay under 10k messages. Abort if p95 latency exceeds 800 ms for 5 minutes.",
  "",
  "## Phase 2: Canary",
  "",
  "Canary 1 % → 5 % → 25 % → 100 %, hold each stage for at least 30 minutes. Roll back if the error rate is above 0.1 % for 10 min. Page the on-call when p99 latency is over 2 s.",
  "",
].join("\n");

describe("limits in the prose of a plan", () => {
  test("are triggers with what the sentence says is to be done", () => {
    const { triggers } = read(canary);
    expect(triggers.map(({ text, does, place }) => [place.line, does, text])).toEqual([
      [5, "rollback", "Abort if p95 latency exceeds 800 ms for 5 minutes."],
      [9, "rollback", "Roll back if the error rate is above 0.1 % for 10 min."],
      [9, "alert", "Page the on-call when p99 latency is over 2 s."],
    ]);
  });

  test("are written with how long they have to be passed, and the sentence beside them is not lost", () => {
    const text = written(canary);
    expect(text).toContain("when(rate.error().above(0.001)).then(");
    expect(text).toContain('for: "10m"');
    expect(text).toContain('for: "5m"');
    expect(text).toContain('unproven("Consumer lag must stay under 10k messages."');
    expect(text.match(/hold each stage for at least 30 minutes/g)).toHaveLength(1);
  });

  test("stand beside shares of traffic, each held as long as the sentence says", () => {
    const { ramps, durations } = read(canary);
    expect(ramps.map(({ stages }) => stages.map(({ percent }) => percent))).toEqual([[1, 5, 25, 100]]);
    const hold = durations.find(({ key }) => key === ramps[0]?.stages[0]?.hold);
    expect(hold?.written).toBe("30 minutes");
    expect(written(canary)).toContain('{ share: 25, hold: "30m" }');
  });

  test.each([
    [
      "If the error rate exceeds 0.5 % over any 10-minute window, traffic MUST be sent back to v1.",
      "traffic MUST be sent back to v1",
    ],
    ["NOTE: Pause if the lag exceeds 10,000 messages.", "Pause"],
    ["Abortar si la tasa de errores supera el 1 % durante 5 minutos.", "Abortar"],
    ["Si le taux d'erreur dépasse 3 % pendant 15 minutes, arrêter et revenir", "arrêter et revenir"],
    ["Wenn die Fehlerquote über 2 % liegt, zurück auf Oracle.", "zurück auf Oracle"],
    ["如果错误率超过0.5%持续5分钟，立即回滚。", "回滚"],
    ["P99延迟大于300毫秒时暂停。", "暂停"],
    ["Error rate > 2 % → roll back", "roll back"],
  ])("are read in %j", (sentence, action) => {
    expect(actionOf(sentence)).toBe(action);
  });

  test.each([
    "We stopped the old server when it had more than 3 disks.",
    "Roll back takes at most 30 minutes.",
    "If the team agrees, pause.",
    "Latency must stay below 200 ms.",
    "Canary 1 % → 5 % → 100 %",
  ])("are not read into %j", (sentence) => {
    expect(actionOf(sentence)).toBeUndefined();
  });

  test("take no length for a delay that is the limit itself", () => {
    expect(
      written("# Move\n\n## Phase 1: Go\n\nIf searches take longer than 3 seconds, go back.\n"),
    ).not.toContain("for:");
  });

  test("end a sentence at its point and not at an abbreviation", () => {
    expect(
      sentencesOf("Bis ca. 3 Tage, Fr. Müller prüft. Dann weiter. 完成。继续。").map(({ text }) => text),
    ).toEqual(["Bis ca. 3 Tage, Fr. Müller prüft.", "Dann weiter.", "完成。", "继续。"]);
  });
});

describe("a plan in signs", () => {
  const plan =
    "# 迁移\n\n## 第一阶段：双写（5天）\n\n- [ ] 差异率低于0.01%\n\n## 第二阶段：下线\n\n1. 停止双写\n\n```sql\nDROP DATABASE user_old;\n```\n";

  test("has no bare figures for names, and what deletes goes forward only behind an approval", async () => {
    const { phases } = await planOf(plan);
    expect(phases.map(({ name, forwardOnly }) => [name, forwardOnly])).toEqual([
      ["phase-1", false],
      ["phase-2", false],
      ["phase-2-final", true],
    ]);
    expect(written(plan)).toContain("approval: { by: 1 }");
  });
});

describe("a plan without phases", () => {
  test("keeps shares told in prose, and takes the way back below a step for that step", async () => {
    const plan = await planOf(
      "# Move\n\n## Pre-flight checks\n\n- [ ] Backup is there\n\n## Procedure\n\n### Step 1: Begin\n\n```sh\nbegin\n```\n\nRollback:\n\n```sh\nend\n```\n\n### Step 2: Switch\n\n```sh\nswitch --to new\n```\n\nRollback:\n\n```sh\nswitch --to old\n```\n",
    );
    expect(plan.phases.map(({ name }) => name)).toEqual(["begin", "switch"]);
    expect(plan.unproven.map(({ role, name }) => [role, name])).toEqual([["entry", "Backup is there"]]);
    const text = written(
      "# Move\n\n## Rollout\n\nTraffic moves 5 %, 25 %, 50 % and then 100 %, each held for 24 hours. Fewer than 0.01 % of the answers may differ.\n",
    );
    expect(text).toContain('{ share: 5, hold: "24h", atMost: "48h" }');
    expect(text).toContain("Fewer than 0.01 % of the answers may differ.");
  });

  test("of plain text has its indented points as steps", () => {
    const { steps } = readDocument(
      "MOVE\n====\n\nPhase 1 - Copy (1 week)\n    1.1 Order disks\n    1.2 Install disks\n\nROLLBACK\n    - start the old one\n",
      { file: "PLAN.txt" },
    );
    expect(steps.map(({ title, way }) => [title, way])).toEqual([
      ["Order disks", "forward"],
      ["Install disks", "forward"],
      ["start the old one", "rollback"],
    ]);
  });
});
