/**
 * Ends the process now, whatever its threads do. `process.exit` waits for each of them, and one that blocks in a call of the
 * system (a program that it waits for, a pipe that it reads) can take for ever. Becoming another program ends them all and keeps
 * the exit code; where that cannot be done, this is `kill -9`.
 */
export function endAtOnce(code: number): never {
  // What the end of the process would do: the other program leaves the terminal as it finds it.
  if (process.stdin.isTTY) process.stdin.setRawMode(false);
  try {
    process.emit("exit", code);
  } catch {
    // Who has something to do at the end has had its turn.
  }
  const { NODE_OPTIONS: _, ...env } = process.env;
  try {
    process.execve?.(process.execPath, [process.execPath, "-e", `process.exit(${code})`], env);
  } catch {
    // Not on this system.
  }
  process.kill(process.pid, "SIGKILL");
  return process.exit(code);
}
