import { CutoverError } from "../core/index.ts";

/** More than any document may have: what comes after it need not be held to be refused. */
const most = 9 * 1024 * 1024;

/** All of the standard input, as bytes. @throws CUTOVER_CLI_USAGE at a terminal, where nobody would end it. */
export async function readInput(): Promise<Uint8Array> {
  const { stdin } = process;
  if (stdin.isTTY)
    throw new CutoverError("CUTOVER_CLI_USAGE", {
      message: "expected a document on the standard input, found a terminal",
      remedy: "hand it in: cutover import - < PLAN.md",
    });
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of stdin as AsyncIterable<Uint8Array>) {
    parts.push(part);
    size += part.length;
    if (size > most) break;
  }
  return Buffer.concat(parts);
}
