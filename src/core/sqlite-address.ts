import type { AddressProblem } from "./postgres-address.ts";

/**
 * What is wrong with the path in `sqlite:PATH`, looked at before a file is made; undefined when nothing is. A path is a
 * path: in the habit of a URL, `//work.db` would lie in the root of the disk, and parameters in the name of the file.
 * What could be a password of an address that was meant for another store is not repeated.
 * @param path what stands behind `sqlite:`
 */
export function sqliteAddressProblem(path: string): AddressProblem | undefined {
  const [, rest] = /^\/\/([^/].*)$/s.exec(path) ?? [];
  const shown = (text: string): string => (text.includes("@") ? "PATH" : text);
  if (rest !== undefined)
    return {
      message: `expected a path behind "sqlite:", found "//", which would lead to the root of the disk`,
      remedy: `write sqlite:${shown(rest)} for a path from here, sqlite:/${shown(rest)} for one from the root`,
    };
  // A folder above the file may have any name.
  const parameters = /\?([\w-]*)[^/]*$/.exec(path);
  if (parameters === null) return undefined;
  return {
    message: `expected a path without parameters behind "sqlite:", found "?${parameters[1] ?? ""}…"`,
    remedy: `write sqlite:${shown(path.slice(0, parameters.index))}; only postgres://… takes parameters, ?schema=NAME among them`,
  };
}
