import { readFile } from "node:fs/promises";
import { asError, CutoverError } from "../core/index.ts";

/** A written plan as it lies there; `shown` is how the user names it. @throws CUTOVER_DOCUMENT_UNREADABLE */
export async function readPlanBytes(path: string, shown: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new CutoverError("CUTOVER_DOCUMENT_UNREADABLE", {
      message: `expected the written plan ${shown}, found: ${asError(error).message}`,
      place: path,
      cause: error,
    });
  }
}
