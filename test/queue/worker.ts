/**
 * A worker process for crash tests: `worker.ts DB FOLDER LEASE [FAULT]`. Writes a line to FOLDER/effects for each attempt,
 * kills itself with SIGKILL the first time it passes the fault point FAULT. Takes commands as messages.
 */
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setFaultHandler } from "../../src/core/index.ts";
import { openQueue, subprocess } from "../../src/queue/index.ts";

const [db = "", folder = "", lease = "60s", fault] = process.argv.slice(2);
const note = (line: string): void => appendFileSync(join(folder, "effects"), `${line}\n`);

if (fault !== undefined) {
  setFaultHandler((name) => {
    if (name === fault) process.kill(process.pid, "SIGKILL");
  });
}
const queue = await openQueue(`sqlite:${db}`, {
  slots: 4,
  stagger: 0,
  grace: "300ms",
  lease,
  backoff: { base: "20ms", cap: "20ms" },
});

queue.work("note", ({ id }, { fence, progress }) => {
  note(`${id} ${fence}`);
  progress({ noted: true });
});
queue.work("flaky", ({ id }, { fence, attempt }) => {
  note(`${id} ${fence}`);
  if (attempt === 1) throw new Error("the first attempt fails");
  return "second";
});
queue.work("fatal", () => {
  throw Object.assign(new Error("never"), { code: "EACCES" });
});
queue.work("hang", ({ id }, { fence, progress }) => {
  note(`${id} ${fence}`);
  progress({ hangs: true });
  return new Promise(() => {});
});
queue.work(
  "program",
  subprocess<{ seconds: number }>({
    command: ({ payload, id }, { fence }) => ({
      file: process.execPath,
      args: [
        "-e",
        `require("fs").appendFileSync(process.argv[1], process.argv[2] + " " + process.pid + "\\n");
         setTimeout(() => {}, ${payload.seconds * 1_000})`,
        join(folder, "effects"),
        `${id} ${fence}`,
      ],
    }),
  }),
);

writeFileSync(join(folder, "ready"), `${process.pid}\n`);
process.on("message", (message: { do: string; id?: string; kind?: string; payload?: unknown }) => {
  void (async () => {
    if (message.do === "submit")
      await queue.submit(message.kind ?? "", message.payload, { id: message.id ?? "" });
    if (message.do === "cancel") await queue.cancel(message.id ?? "", "asked for by the test");
    if (message.do === "retry") await queue.retry(message.id ?? "");
    if (message.do === "recover")
      await queue.recoverFromAudit({ since: 0, match: ({ order }) => order.id === message.id });
    if (message.do === "schedule") await queue.schedule("tick", { every: "1s" }, "note");
    if (message.do === "unschedule") await queue.unschedule("tick");
    // Nothing is as old as this: what is pruned is not what the test looks at.
    if (message.do === "prune") await queue.prune({ olderThan: "1h" });
    if (message.do === "stop") await queue.stop();
    process.send?.({ done: message.do });
    if (message.do === "stop") process.disconnect?.();
  })();
});
