/**
 * A worker process for crash tests with containers: `container-worker.ts DB SOCKET [FAULT]`. Kills itself with SIGKILL when it
 * passes the fault point FAULT. Its order's first claim runs without end, the next ones end at once.
 */
import { setFaultHandler } from "../../src/core/index.ts";
import { docker, openQueue, type Sandbox } from "../../src/queue/index.ts";

export function endlessAtFirst(socketPath: string): Sandbox {
  return docker({
    image: "busybox:latest",
    command: (_, { fence }) => ({ args: fence === 1 ? ["hang"] : ["echo", "again"] }),
    engine: { socketPath },
    answer: "2s",
  });
}

if (import.meta.main) {
  const [db = "", socket = "", fault] = process.argv.slice(2);
  setFaultHandler((name) => {
    if (name === fault) process.kill(process.pid, "SIGKILL");
  });
  const queue = await openQueue(`sqlite:${db}`, { stagger: 0 });
  queue.work("contained", endlessAtFirst(socket));
  await queue.submit("contained", null, { id: "order-1" });
}
