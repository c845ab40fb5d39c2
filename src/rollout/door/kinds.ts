/** How a value is compared: by its members (an instance by its own), or by what its built-in class holds. */
export type Kind =
  | "object"
  | "instance"
  | "date"
  | "regexp"
  | "bytes"
  | "numbers"
  | "error"
  | "map"
  | "set"
  | "stated"
  | "opaque";

export function kindOf(value: object): Kind {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return "object";
  if (value instanceof Date) return "date";
  if (value instanceof Map) return "map";
  if (value instanceof Set) return "set";
  if (value instanceof Error) return "error";
  if (value instanceof RegExp) return "regexp";
  if (value instanceof ArrayBuffer) return "bytes";
  if (ArrayBuffer.isView(value))
    return value instanceof Uint8Array || value instanceof DataView ? "bytes" : "numbers";
  // Not `for … in`: attributes of web classes stand in their prototypes.
  if (Object.keys(value).length > 0) return "instance";
  return stated(value) === undefined ? "opaque" : "stated";
}

/**
 * What an instance without members of its own says of itself: a URL, a boxed number, a decimal, a time of a library.
 * Undefined when it says nothing (a generator, a socket, a class with private fields only): then nobody can tell
 * whether two of them are equal.
 */
export function stated(value: object): { readonly type: string; readonly value: unknown } | undefined {
  const type = (value.constructor as { name?: unknown } | undefined)?.name;
  const say = (said: unknown) => ({ type: typeof type === "string" ? type : "", value: said });
  if (value instanceof String || value instanceof Number || value instanceof Boolean)
    return say(value.valueOf());
  if (value instanceof URLSearchParams) return say(value.toString());
  if (value instanceof Headers) return say(Object.fromEntries(value));
  const { toJSON } = value as { toJSON?: unknown };
  return typeof toJSON === "function" ? say((toJSON as () => unknown).call(value)) : undefined;
}

export function bytesOf(value: object): Uint8Array {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return new Uint8Array(value as ArrayBuffer);
}

/** `Float64Array` and its like: the sort of numbers in it. */
export const numbersOf = (value: object): { readonly type: string; readonly list: ArrayLike<unknown> } => ({
  type: Object.prototype.toString.call(value),
  list: value as ArrayLike<unknown>,
});

/** Can every key of these maps be told from the others by its value? */
export function haveScalarKeys(...maps: readonly ReadonlyMap<unknown, unknown>[]): boolean {
  return maps.every((map) => {
    for (const key of map.keys())
      if (typeof key === "object" ? key !== null : typeof key === "function") return false;
    return true;
  });
}
