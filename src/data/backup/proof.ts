import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../core/index.ts";
import { digestForm, type DigestForm } from "../digest/digest.ts";
import { writeWhole } from "./backup.ts";
import { tellFiles } from "./folder.ts";
import { proofName, readManifest } from "./format.ts";
import type { Restored } from "./restore.ts";

/** That a backup was restored and found equal. */
export interface BackupProof {
  /** Checksum of the manifest it is about. */
  readonly backup: string;
  /** Where it was restored to. */
  readonly target: string;
  /** Wall-clock milliseconds. */
  readonly at: number;
  readonly seed: string;
  readonly digest: DigestForm;
}

/** Writes the proof beside the manifest. From then on the backup counts. */
export async function keepProof(
  dir: string,
  target: string,
  { verification }: Restored,
  clock: Clock,
): Promise<BackupProof> {
  const { checksum } = await readManifest(dir);
  const proof: BackupProof = {
    backup: checksum,
    target,
    at: clock.now(),
    seed: verification.seed,
    digest: digestForm(verification.target),
  };
  const path = join(dir, proofName);
  await tellFiles(dir, async () => {
    await rm(path, { force: true });
    await writeWhole(path, `${JSON.stringify(proof, null, 2)}\n`);
  });
  return proof;
}

/** The proof of a backup; undefined when it has none, or one of another manifest. */
export async function proofOf(dir: string): Promise<BackupProof | undefined> {
  const { checksum } = await readManifest(dir);
  try {
    const proof = JSON.parse(await readFile(join(dir, proofName), "utf8")) as BackupProof;
    return proof.backup === checksum ? proof : undefined;
  } catch {
    // No file, or one that a crash cut off: then nothing was proven.
    return undefined;
  }
}
