import { check, defineMigration, memory, type Migration, p99, phase, rate, value, when } from "cutover";
import { quiet, ramp, setStage, shadow } from "cutover/rollout";
import {
  backupRestores,
  contractKept,
  oldSideAnswers,
  serverAnswers,
  statusesAreMapped,
} from "./crossing/checks.ts";
import { queueGrowth } from "./crossing/growth.ts";
import { type Mapping, moveOrders } from "./crossing/move.ts";
import { retireOldPath } from "./crossing/retire.ts";
import { served } from "./crossing/server-control.ts";
import { workFolder } from "./crossing/work-folder.ts";

const dir = workFolder();

/** Total over what is really there: a status that is missing here is refused by name. */
export const statusMap: Readonly<Record<string, Mapping>> = {
  queued: { becomes: "PENDING", how: "moves" },
  running: { becomes: "RUNNING", how: "ends in the old queue" },
  waiting_for_children: { becomes: "COMPLETED", how: "ends in the old queue" },
  integrating: { becomes: "RUNNING", how: "ends in the old queue" },
  succeeded: { becomes: "COMPLETED", how: "stays, kept for reading" },
  failed: { becomes: "FAILED", how: "stays, kept for reading" },
  canceled: { becomes: "CANCELLED", how: "stays, kept for reading" },
};

const answers = check("server answers", () => serverAnswers(dir));
const restores = check("backup restores", ({ workDir }) => backupRestores(dir, workDir));
const contract = check("contract kept", () => contractKept(dir));
const oldHealthy = check("old side answers", () => oldSideAnswers(dir));

const crossing: Migration = defineMigration({
  name: "work-order-queue",
  title: "The queue of the work-order server",
  units: ["work-orders"],
  phases: [
    phase("prepare", {
      entry: [
        answers,
        restores,
        contract,
        check("statuses are mapped", () => statusesAreMapped(dir, statusMap)),
      ],
      steps: [],
    }),
    phase("shadow", {
      wayBack: [oldHealthy],
      steps: [
        served(dir, shadow("queue.submit", { for: "8s", until: 0.005, atLeast: 500, estimate: "12s" })),
      ],
    }),
    phase("move", {
      wayBack: [oldHealthy, restores],
      steps: [moveOrders(dir, statusMap)],
    }),
    phase("rollout", {
      wayBack: [oldHealthy],
      steps: [
        served(
          dir,
          ramp("queue.submit", [10, 50, 100], {
            hold: "5s",
            atLeast: 60,
            // It clears a share; to go back is the triggers' business, so it asks for more before it says no.
            gate: rate.error("queue.submit").below(0.04, { alpha: 1e-9 }),
            estimate: "22s",
          }),
        ),
      ],
    }),
    phase("retire", {
      forwardOnly: true,
      approval: { by: 1 },
      entry: [contract],
      steps: [
        served(dir, quiet("queue.submit", { for: "10s" })),
        setStage("queue.submit", "complete"),
        retireOldPath(dir),
      ],
    }),
  ],
  triggers: [
    when(rate.error().worseThan("old", { by: 2 })).then("rollback"),
    when(p99().worseThan("old", { by: 5 })).then("rollback"),
    when(rate.error().above(0.01)).then("pause"),
    when(p99().worseThan("old", { by: 2 })).then("pause"),
    when(value("queue growth per minute", queueGrowth(dir)).above(150)).then("alert"),
    when(memory().above(0.9)).then("throttle"),
  ],
  verifyOld: [answers, contract],
  risks: [
    {
      risk: "orders lost in the move",
      probability: "low",
      impact: "high",
      mitigation: "backup proven, moves are marked and repeatable",
    },
    {
      risk: "the new queue is slower",
      probability: "medium",
      impact: "medium",
      mitigation: "p99 watched against the old side's",
    },
  ],
});

export default crossing;
