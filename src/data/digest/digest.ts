import type { Digest } from "../connector.ts";

export const emptyDigest: Digest = { count: 0, rows: 0n, keys: 0n };

const wrapped = (sum: bigint): bigint => BigInt.asUintN(64, sum);

/** The digest of two ranges that do not overlap, together. */
export function addDigests(a: Digest, b: Digest): Digest {
  return { count: a.count + b.count, rows: wrapped(a.rows + b.rows), keys: wrapped(a.keys + b.keys) };
}

/** What has to be added to `b` to get `a`; its count can be negative. */
export function subtractDigests(a: Digest, b: Digest): Digest {
  return { count: a.count - b.count, rows: wrapped(a.rows - b.rows), keys: wrapped(a.keys - b.keys) };
}

export function equalDigests(a: Digest, b: Digest): boolean {
  return a.count === b.count && a.rows === b.rows && a.keys === b.keys;
}

const hex = (sum: bigint): string => sum.toString(16).padStart(16, "0");

/** `00c4…:91aa…`: sums of rows and keys, for comparing two outputs by eye. */
export const digestText = ({ rows, keys }: Digest): string => `${hex(rows)}:${hex(keys)}`;

/** A digest as a document holds it. */
export interface DigestForm {
  readonly count: number;
  readonly rows: string;
  readonly keys: string;
}

export const digestForm = ({ count, rows, keys }: Digest): DigestForm => ({
  count,
  rows: hex(rows),
  keys: hex(keys),
});

/** Undefined when it is none. */
export function readDigest(form: unknown): Digest | undefined {
  if (typeof form !== "object" || form === null) return undefined;
  const { count, rows, keys } = form as Readonly<Record<string, unknown>>;
  if (typeof count !== "number" || !Number.isSafeInteger(count) || count < 0) return undefined;
  if (!isHex(rows) || !isHex(keys)) return undefined;
  return { count, rows: BigInt(`0x${rows}`), keys: BigInt(`0x${keys}`) };
}

const isHex = (value: unknown): value is string => typeof value === "string" && /^[0-9a-f]{16}$/.test(value);
