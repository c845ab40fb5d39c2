import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The program both queues run for a work order. */
export const agentScript: string = join(import.meta.dirname, "agent.sh");

/** One execution, as both queues hand it to the agent. */
export interface Execution {
  readonly id: string;
  readonly agentType: string;
  readonly prompt: string;
  readonly attempt: number;
  /** The same for everything that must take effect once. */
  readonly key: string;
  readonly side: "old" | "new";
}

/** Arguments of `sh`, without a shell line to quote. */
export function agentArguments(workDir: string, execution: Execution): string[] {
  const { agentType, id, attempt, key, side, prompt } = execution;
  return [agentScript, workDir, agentType, id, String(attempt), key, side, prompt];
}

/** What the agent expects to find in its work folder. */
export function prepareAgents(workDir: string): void {
  for (const folder of ["begun", "scratch"]) mkdirSync(join(workDir, folder), { recursive: true });
  const sample = join(workDir, "sample.txt");
  if (!existsSync(sample))
    writeFileSync(sample, "the quick brown fox jumps over the lazy dog\n".repeat(1_500));
}
