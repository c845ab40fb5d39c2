import { spawn } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { agentArguments, type Execution } from "../agent/command.ts";

export type AgentEnd =
  | { readonly kind: "exit"; readonly code: number }
  | { readonly kind: "timeout" }
  | { readonly kind: "stopped" };

/** Runs the agent in a process group and a scratch folder of its own; the group is killed at the limit or by `signal`. */
export async function runAgent(
  workDir: string,
  execution: Execution,
  limitMs: number,
  signal: AbortSignal,
): Promise<AgentEnd> {
  const scratch = join(workDir, "scratch", `old-${execution.id}`);
  await mkdir(scratch, { recursive: true });
  try {
    return await spawnAgent(scratch, agentArguments(workDir, execution), limitMs, signal);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function spawnAgent(
  cwd: string,
  args: readonly string[],
  limitMs: number,
  signal: AbortSignal,
): Promise<AgentEnd> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve({ kind: "stopped" });
    const child = spawn("sh", args, { cwd, detached: true, stdio: "ignore" });
    let killedFor: AgentEnd | undefined;
    const kill = (reason: AgentEnd): void => {
      killedFor ??= reason;
      // Negative: the whole group. It may have ended this very moment.
      if (child.pid !== undefined)
        try {
          process.kill(-child.pid, "SIGKILL");
        } catch {}
    };
    const onAbort = (): void => kill({ kind: "stopped" });
    const timer = setTimeout(() => kill({ kind: "timeout" }), limitMs);
    signal.addEventListener("abort", onAbort, { once: true });
    const done = (end: AgentEnd): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      resolve(killedFor ?? end);
    };
    child.once("error", () => done({ kind: "exit", code: 127 }));
    child.once("exit", (code) => done({ kind: "exit", code: code ?? 137 }));
  });
}
