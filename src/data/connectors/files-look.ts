import { existsSync, lstatSync } from "node:fs";
import { join } from "node:path";
import type { Reader } from "../connector.ts";
import { ownFolder } from "./files-engine.ts";
import { FilesFolder } from "./files-folder.ts";
import { storeError } from "./place.ts";

/**
 * A folder of files that was never opened here, as it lies there: which of these collections there are, and which hold rows. Undefined for
 * a file, and where there are records of ours: then it has to be opened, as a transaction may have to be carried out first.
 */
export function lookAtFiles(
  path: string,
  names: readonly string[],
): (Pick<Reader, "name" | "collections" | "scan"> & AsyncDisposable) | undefined {
  const name = `files:${path}`;
  if (!lstatSync(path).isDirectory() || existsSync(join(path, ownFolder))) return undefined;
  const folders = new Map<string, FilesFolder>();
  for (const each of names)
    if (lstatSync(join(path, each), { throwIfNoEntry: false })?.isDirectory() === true)
      folders.set(each, new FilesFolder(join(path, each), { root: each === "" }));
  return {
    name,
    collections: () =>
      Promise.resolve(
        [...folders].map(([each, folder]) => {
          const problem = folder.problem();
          return { name: each, rows: folder.rows().length, ...(problem === undefined ? {} : { problem }) };
        }),
      ),
    // oxlint-disable-next-line require-await -- as scans of all readers are
    async *scan({ collection }) {
      try {
        const rows = folders.get(collection)?.rows() ?? [];
        // Whether there are any is asked here: no file is read for it.
        if (rows.length > 0) yield rows.slice(0, 1).map(({ key }) => ({ key, value: Buffer.alloc(0) }));
      } catch (error) {
        throw storeError(error, name);
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
