import { CutoverError } from "../core/index.ts";

/** @throws CUTOVER_DATA_OPTIONS when an option is given that nothing reads */
export function refuseOptions(what: string, unknown: Readonly<Record<string, unknown>>): void {
  const names = Object.keys(unknown);
  if (names.length === 0) return;
  throw new CutoverError("CUTOVER_DATA_OPTIONS", {
    message: `expected options that ${what} knows, found ${names.map((name) => `"${name}"`).join(", ")}`,
    place: what,
  });
}
