import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { CheckResult } from "cutover";
import { readOnce } from "./old-folder.ts";

/**
 * Takes a backup of a live folder, restores it to a scratch folder and compares file by file: what was read from the
 * original must be what comes out of the backup. Files are replaced whole by their owner, so each one is consistent.
 */
export function proveBackup(from: string, workDir: string): CheckResult {
  const backup = join(workDir, "backup");
  const scratch = join(workDir, "scratch-restore");
  for (const folder of [backup, scratch]) rmSync(folder, { recursive: true, force: true });
  const taken = copyFolder(from, backup);
  copyFolder(backup, scratch);
  const differ = [...taken].filter(([file, digest]) => digestOf(join(scratch, file)) !== digest);
  const extra = filesBelow(scratch).length - taken.size;
  rmSync(scratch, { recursive: true, force: true });
  const { orders, counts } = readOnce(backup);
  const facts = {
    files: taken.size,
    differ: differ.length,
    extra,
    orders: orders.length,
    counts: { ...counts },
  };
  const ok = differ.length === 0 && extra === 0 && taken.size > 0;
  const first = differ[0]?.[0] ?? "extra files";
  const note = ok
    ? `backup restored and equal (${taken.size.toLocaleString("en")} files)`
    : `the restored backup differs in ${differ.length + extra} files, first ${first}`;
  return { ok, note, facts };
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** Copies files that are there and gives their digests as read; a file that vanished meanwhile was never the owner's. */
function copyFolder(from: string, to: string): Map<string, string> {
  const digests = new Map<string, string>();
  for (const file of filesBelow(from)) {
    const bytes = readFileSync(join(from, file));
    mkdirSync(dirname(join(to, file)), { recursive: true });
    writeFileSync(join(to, file), bytes);
    digests.set(file, sha256(bytes));
  }
  return digests;
}

/** Relative paths of the order files and the state; `tmp/` holds writes under way and is left out. */
function filesBelow(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !relative(dir, entry.parentPath).startsWith("tmp"))
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)));
}

const digestOf = (path: string): string | undefined => {
  try {
    return sha256(readFileSync(path));
  } catch {
    return undefined;
  }
};
