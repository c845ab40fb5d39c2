/** A key is hashed on the caller's path: at this length in some 10 µs, a megabyte would take a millisecond. */
export const longestKey = 10_000;

export const goodKey: string = `a text of 1 to ${longestKey} characters, a finite number or a bigint`;

/** The text of a key that is hashed, or undefined when it is none: such a call belongs to the old side. */
export function keyText(key: unknown): string | undefined {
  if (typeof key === "string") return key.length > 0 && key.length <= longestKey ? key : undefined;
  if (typeof key === "number") return Number.isFinite(key) ? String(key) : undefined;
  return typeof key === "bigint" && key < hugeNumber && key > -hugeNumber ? String(key) : undefined;
}

/** Writing a number of so many digits as text takes longer than anything else here. */
const hugeNumber = 10n ** 1_000n;

export function describeKey(key: unknown): string {
  if (typeof key === "string") return `a text of ${key.length} characters`;
  if (typeof key === "number") return String(key);
  return key === null ? "null" : typeof key;
}
