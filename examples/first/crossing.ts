import { check, defineMigration, type Migration, p99, phase, rate, when } from "cutover";
import { quiet, ramp, setStage, shadow } from "cutover/rollout";
import { backupRestores, moveOrders, oldSideAnswers } from "./orders.ts";
const answers = check("old side answers", oldSideAnswers);
const migration: Migration = defineMigration({
  name: "work-order-queue",
  phases: [
    phase("prepare", { entry: [check("backup restores", backupRestores)] }),
    phase("shadow", { wayBack: [answers], steps: [shadow("queue.submit", { for: "10m", until: 0.001 })] }),
    phase("move", { wayBack: [answers], steps: [moveOrders] }),
    phase("rollout", { wayBack: [answers], steps: [ramp("queue.submit", [10, 50, 100], { hold: "10m" })] }),
    phase("retire", {
      forwardOnly: true,
      approval: { by: 1 },
      steps: [quiet("queue.submit", { for: "1h" }), setStage("queue.submit", "complete")],
    }),
  ],
  triggers: [
    when(rate.error().worseThan("old", { by: 2 })).then("rollback"),
    when(p99().worseThan("old", { by: 2 })).then("pause"),
  ],
});
export default migration;
