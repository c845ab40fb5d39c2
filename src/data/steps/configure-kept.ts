import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { CutoverError, sha256 } from "../../core/index.ts";
import type { StepContext } from "../../plan/index.ts";

/** A value that a step keeps for its way back, or for going on after a crash. */
export interface Kept {
  /** As the place tells what is the same; absent where it is a secret, whose digest could be guessed from. */
  readonly digest?: string;
  readonly bytes: number;
  /** Base64, of what another machine may need. */
  readonly base64?: string;
  /** In the run's folder, for this user alone: what belongs to this machine, is large or secret. */
  readonly file?: string;
}

const mostInRecord = 64 * 1024;

/** Keeps a value durably before anything is changed. */
export async function keep(
  context: Pick<StepContext, "workDir" | "idempotencyKey">,
  bytes: Uint8Array,
  how: {
    readonly part: "before" | "after";
    readonly digest: string;
    readonly secret: boolean;
    readonly file: boolean;
  },
): Promise<Kept> {
  const { part, digest, secret, file } = how;
  const facts = { ...(secret ? {} : { digest }), bytes: bytes.length };
  if (!file && !secret && bytes.length <= mostInRecord)
    return { ...facts, base64: Buffer.from(bytes).toString("base64") };
  const name = `configure-${sha256(context.idempotencyKey).slice(0, 12)}-${part}`;
  await mkdir(context.workDir, { recursive: true });
  {
    await using handle = await open(join(context.workDir, name), "w", 0o600);
    await handle.writeFile(bytes);
    await handle.sync();
  }
  await using folder = await open(context.workDir, "r");
  await folder.sync();
  return { ...facts, file: name };
}

/** @throws CUTOVER_DATA_BACKUP when what was kept is gone or another */
export async function keptBytes(
  { workDir }: Pick<StepContext, "workDir">,
  kept: Kept,
  digestOf: (bytes: Uint8Array) => string,
): Promise<Buffer> {
  if (kept.base64 !== undefined) return Buffer.from(kept.base64, "base64");
  const path = join(workDir, kept.file ?? "");
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new CutoverError("CUTOVER_DATA_BACKUP", {
      message: `expected the value kept by the step, found none that can be read: ${String(cause)}`,
      place: path,
      remedy: "bring the run's folder back, or set the value by hand and settle the step",
      cause,
    });
  });
  if (bytes.length === kept.bytes && (kept.digest === undefined || digestOf(bytes) === kept.digest))
    return bytes;
  throw new CutoverError("CUTOVER_DATA_BACKUP", {
    message: `expected the value kept by the step as it was (${kept.bytes} bytes), found another of ${bytes.length} bytes`,
    place: path,
    remedy: "bring the run's folder back, or set the value by hand and settle the step",
  });
}
