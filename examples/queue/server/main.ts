/** The work-order server: `node main.ts WORK_DIR`. Its settings lie in the work folder. */
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { argv } from "node:process";
import { createRollout, type RouteOptions } from "cutover/rollout";
import { prepareAgents } from "../agent/command.ts";
import { operations } from "../old/submission.ts";
import type { Submission } from "../old/work-order.ts";
import { crossingCalls } from "./crossing-calls.ts";
import { withFault } from "./fault.ts";
import { answerRequest } from "./http-api.ts";
import { Gauges } from "./metrics.ts";
import { full, orFull, sameAnswer } from "./answers.ts";
import { Orders, type Placed } from "./orders.ts";
import { places, readRecord, type ServerSettings, writeRecord } from "./settings.ts";

const workDir = argv[2] ?? "";
const files = places(workDir);
const settings = readRecord<ServerSettings>(files.serverSettings);
if (settings === undefined) throw new Error(`expected settings in ${files.serverSettings}`);
const warn = (message: string): void => console.error(`${new Date().toISOString()} ${message}`);

prepareAgents(workDir);
const rollout = createRollout({ dir: settings.store, onError: (error) => warn(error.message) });
const orders = new Orders({
  oldDir: files.old,
  workDir,
  warn,
  wrapNew: (next) =>
    withFault(next, settings.fault, () => submit.state().stage === "live" && submit.state().share >= 50),
});

/** The one line where old and new both can answer. */
const submit = rollout.route("queue.submit", {
  old: (submission) => orFull(orders.submitOld(submission)),
  new: (submission) => orFull(orders.submitNew(submission)),
  shadow: (submission) => orFull(orders.intend(submission)),
  // Families stay together: children have their root's key.
  key: ({ order }) => order.rootId ?? order.id,
  operation: ({ order }) => order.agentType,
  operations,
  compare: sameAnswer,
  // A second submit of an id is answered with the order that is there.
  idempotent: true,
  deadline: "2s",
} satisfies RouteOptions<(submission: Submission) => Promise<Placed | typeof full>>);

const gauges = new Gauges(orders, submit);
const server = createServer((request, response) => {
  void answerRequest(request, response, {
    orders,
    submit,
    health: () => gauges.health(),
    metrics: () => gauges.text(),
    crossing: (name, body) => crossingCalls(orders, files, submit, name, body),
    depth: () => gauges.depth(),
  });
});
server.keepAliveTimeout = 30_000;

await orders.start({ withOld: existsSync(files.old) });
server.once("error", (error: NodeJS.ErrnoException) => {
  warn(error.code === "EADDRINUSE" ? `port ${settings.port} is in use` : String(error));
  process.exit(error.code === "EADDRINUSE" ? 6 : 1);
});
server.listen(settings.port, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  // A restart must come back under the address its clients know.
  writeRecord(files.serverSettings, { ...settings, port });
  writeRecord(files.server, { pid: process.pid, port, startedAt: Date.now() });
});

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  server.close();
  server.closeAllConnections();
  gauges.close();
  await orders.stop();
  await rollout.close();
  process.exit(0);
}
process.on("SIGTERM", () => void stop());
process.on("SIGINT", () => void stop());
setTimeout(() => void stop(), settings.lifeMs);
