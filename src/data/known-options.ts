import { refuseOptions } from "./capture-options.ts";

/**
 * Refuses options that nothing reads: a misspelt one would be a wish that is silently not granted. `known` names them all, which
 * the compiler checks.
 * @throws CUTOVER_DATA_OPTIONS
 */
export function onlyKnown<T extends object>(
  what: string,
  options: T,
  known: Readonly<Record<keyof T, true>>,
): void {
  const strangers = Object.entries(options).filter(([name]) => !Object.hasOwn(known, name));
  refuseOptions(what, Object.fromEntries(strangers));
}
