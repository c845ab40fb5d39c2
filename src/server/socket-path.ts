import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { sha256 } from "../core/index.ts";

/** The kernel takes 104 (macOS) to 108 (Linux) bytes, the closing zero included. */
const longest = 100;

/** Where the owner of `dir` listens: `owner.sock` in it, or in the temp folder when that path is too long. */
export function socketPath(dir: string): string {
  const near = join(resolve(dir), "owner.sock");
  if (Buffer.byteLength(near) <= longest) return near;
  return join(tmpdir(), `cutover-${sha256(near).slice(0, 24)}.sock`);
}
