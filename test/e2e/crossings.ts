/** Definitions for the end-to-end tests. Steps write a line to `ledger.txt` for each thing they do. */

const ledger = `
import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { check, defineMigration, phase, step } from "cutover";
const here = import.meta.dirname;
const note = (line) => appendFileSync(join(here, "ledger.txt"), line + "\\n");
/** Work that goes on until the file \`go\` is there; stops at an abort. \`go.awaited\` tells that it has come so far. */
const untilGo = async (its, name = "go") => {
  writeFileSync(join(here, name + ".awaited"), "");
  while (!existsSync(join(here, name))) {
    if (its.signal.aborted) throw its.signal.reason;
    await new Promise((r) => its.clock.after(20, r));
  }
};
`;

/** A copy of 10 rows with a checkpoint after each; after row 5 it waits for the file `go`. */
export const copyRows: string = `${ledger}
const copy = step("copy", {
  run: async (its) => {
    for (let row = Number(its.checkpoint() ?? 0); row < 10; row++) {
      if (row === 5) await untilGo(its);
      note("row " + row);
      await its.saveCheckpoint(row + 1);
    }
    return { note: "10 rows" };
  },
  rollback: () => note("copy back"),
});
const before = step("before", { run: () => note("before"), rollback: () => note("before back") });
export default defineMigration({
  name: "copy-rows",
  phases: [phase("prepare", { steps: [before] }), phase("move", { steps: [copy] })],
});
`;

/** Two phases; the second needs one approval before it begins. */
export const withApproval: string = `${ledger}
export default defineMigration({
  name: "with-approval",
  phases: [
    phase("move", { steps: [step("copy", { run: () => note("copy"), rollback: () => note("copy back") })] }),
    phase("retire", { forwardOnly: true, approval: { by: 1 }, steps: [step("remove", { run: () => note("remove"), irreversible: true })] }),
  ],
});
`;

/** Its gate holds until the file `shown` is there. */
export const withGate: string = `${ledger}
import { gate } from "cutover";
export default defineMigration({
  name: "with-gate",
  phases: [
    phase("move", {
      steps: [step("copy", { run: () => note("copy"), rollback: () => note("copy back") })],
      exit: [gate("rows are shown", {
        collect: () => ({ shown: existsSync(join(here, "shown")) }),
        judge: ({ shown }) => ({ kind: shown ? "pass" : "hold", reason: "rows" }),
      })],
    }),
  ],
});
`;

/** The second step fails for good. */
export const failing: string = `${ledger}
export default defineMigration({
  name: "failing",
  phases: [
    phase("move", { steps: [
      step("copy", { run: () => note("copy"), rollback: () => note("copy back") }),
      step("verify", { run: () => { throw new Error("3 rows differ"); } }),
    ] }),
  ],
});
`;

/** Fails, and its way back waits for the file \`go\`. */
export const slowBack: string = `${ledger}
export default defineMigration({
  name: "slow-back",
  phases: [
    phase("move", { steps: [
      step("first", { run: () => note("first"), rollback: () => note("first back") }),
      step("copy", { run: () => note("copy"), rollback: async (its) => { note("copy back begins"); await untilGo(its); note("copy back"); } }),
      step("verify", { run: () => { throw new Error("3 rows differ"); } }),
    ] }),
  ],
});
`;

/** Waits for the file `go` in its first step; people may hold, look closer, or roll back. */
export const withTriggers: string = `${ledger}
import { contingency, manual, value, when } from "cutover";
const wait = step("wait", { run: (its) => { note("wait"); return untilGo(its); }, rollback: () => note("wait back") });
export default defineMigration({
  name: "with-triggers",
  phases: [phase("move", { steps: [wait, step("after", { run: () => note("after"), rollback: () => note("after back") })] })],
  triggers: [
    when(value("load", () => 1).above(5)).then("throttle", { for: "1m", recover: "1m" }),
    manual("data corruption risk").then("hold"),
    manual("look closer").then(contingency("look")),
    manual("customer impact").then("rollback"),
  ],
  contingencies: [{ name: "look", on: "manual", steps: [step("look", { run: () => note("looked") })] }],
});
`;
