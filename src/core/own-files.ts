/**
 * The folder of this program's own files: `src` in the repository, `dist` in the package. This file lies one folder below
 * either, also where it was bundled with others (`dist/chunks`).
 */
const folder = new URL("../", import.meta.url);
const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** A file that comes with this program, by its path from that folder. */
export const ownFile = (path: string): URL => new URL(path, folder);

/**
 * A module that is started as a thread, by its path from that folder and without an ending. The build makes each module that
 * is named so, as a literal, a file of its own.
 */
export const ownThread = (path: string): URL => ownFile(`${path}.${ending}`);
