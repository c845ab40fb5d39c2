/** What `copyValue` answers when a value is larger than the limit or cannot be read. */
export const uncopied: unique symbol = Symbol("uncopied");

const deepest = 64;
const deep = Symbol("deep");
let left = 0;
let withSymbols = true;

/**
 * A copy that shares nothing changeable with the original, as far as plain data goes: objects (members named by
 * symbols too), arrays with their holes, Date, Map, Set, buffers, typed arrays, RegExp. Getters are read once, here.
 * Functions and instances of other classes (sockets, signals, models with methods) cannot be copied faithfully and are
 * passed on as they are; so are subclasses of those above.
 *
 * Written by hand because `structuredClone` costs 2 to 4 µs on an order with five fields and loses prototypes; this
 * takes a tenth of it. `limit` bounds the members visited, so that a caller never waits for something enormous to be
 * copied; a larger or unreadable value (a getter or a proxy that throws) gives `uncopied`.
 *
 * @param symbols whether members named by symbols come along; an answer that is only compared needs none
 */
export function copyValue(value: unknown, limit: number, symbols = true): unknown {
  left = limit;
  withSymbols = symbols;
  if (typeof value !== "object" || value === null) return value;
  try {
    const copied = copy(value, 0);
    return left < 0 ? uncopied : copied;
  } catch (error) {
    return error === deep ? copyDeep(value, limit) : uncopied;
  }
}

/**
 * The arguments of a call, copied in the same way: what is no object is shared, for nobody can change it. Undefined where
 * `copyValue` gives `uncopied`.
 */
export function copyInput(args: readonly unknown[], limit: number): readonly unknown[] | undefined {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (typeof arg !== "object" || arg === null) continue;
    const one = args.length === 1;
    const copied = one ? copyValue(arg, limit - 2) : copyValue(args, limit);
    if (copied === uncopied) return undefined;
    return one ? [copied] : (copied as readonly unknown[]);
  }
  return args.length < limit ? args : undefined;
}

function copy(value: unknown, depth: number): unknown {
  if (typeof value !== "object" || value === null || left < 0) return value;
  if (depth > deepest) throw deep;
  if (Array.isArray(value)) return copyArray(value, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    return copyBuiltIn(value, (item) => copy(item, depth + 1));
  // Counted before anything is copied: cloning a million members takes seconds, listing their names does not.
  left--;
  for (const _ in value) if (--left < 0) return value;
  const target: Members = prototype === null ? { __proto__: null, ...value } : { ...value };
  for (const name in target) {
    const member = target[name];
    if (typeof member === "object" && member !== null) put(target, name, copy(member, depth + 1));
  }
  if (withSymbols) copySymbols(target, depth);
  return target;
}

function copyArray(from: readonly unknown[], depth: number): unknown {
  left -= from.length + 1;
  if (left < 0) return from;
  const items = Object.getPrototypeOf(from) === Array.prototype ? from.slice() : plainItems(from);
  for (let i = 0; i < items.length; i++) {
    const item = items[i];
    if (typeof item === "object" && item !== null) items[i] = copy(item, depth + 1);
  }
  return items;
}

/** Of a subclass, which may have a `slice` of its own: `Array.prototype.slice` would call its constructor. */
function plainItems(from: readonly unknown[]): unknown[] {
  const items: unknown[] = [];
  for (let i = 0; i < from.length; i++) items.push(from[i]);
  digHoles(from, items);
  return items;
}

/** What members named by symbols hold. */
function copySymbols(target: Members, depth: number): void {
  for (const symbol of Object.getOwnPropertySymbols(target)) {
    left--;
    const member = target[symbol];
    if (typeof member === "object" && member !== null) target[symbol] = copy(member, depth + 1);
  }
}

/** The same for cyclic and very deep values: slower, with a list instead of recursion, so no depth overflows the stack. */
function copyDeep(root: object, limit: number): unknown {
  const copies = new Map<object, unknown>();
  const open: [from: object, to: object][] = [];
  left = limit;
  const visit = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value;
    const known = copies.get(value);
    if (known !== undefined) return known;
    const prototype: unknown = Object.getPrototypeOf(value);
    const isArray = Array.isArray(value);
    const plain = isArray || prototype === Object.prototype || prototype === null;
    // What Maps and Sets hold is reached from here too, one call deeper each: a chain of a thousand of them is refused.
    const copied = plain ? (isArray ? [] : emptyLike(prototype)) : copyBuiltIn(value, visit);
    copies.set(value, copied);
    if (plain) open.push([value, copied as object]);
    return copied;
  };
  try {
    const copied = visit(root);
    for (let next = open.pop(); next !== undefined && left >= 0; next = open.pop()) fill(...next, visit);
    return left < 0 ? uncopied : copied;
  } catch {
    return uncopied;
  }
}

function fill(from: object, to: object, visit: (value: unknown) => unknown): void {
  if (Array.isArray(from)) {
    left -= from.length + 1;
    if (left < 0) return;
    const items = to as unknown[];
    for (let i = 0; i < from.length; i++) items.push(visit(from[i]));
    return digHoles(from, items);
  }
  const source = from as Members;
  left--;
  for (const name in source) {
    if (--left < 0) return;
    put(to as Members, name, visit(source[name]));
  }
  for (const symbol of Object.getOwnPropertySymbols(source)) {
    left--;
    (to as Members)[symbol] = visit(source[symbol]);
  }
}

type Members = Record<PropertyKey, unknown>;

const emptyLike = (prototype: unknown): Members =>
  prototype === null ? (Object.create(null) as Members) : {};

function put(target: Members, name: string, value: unknown): void {
  // Plain assignment would set the prototype of the copy.
  if (name === "__proto__")
    Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true });
  else target[name] = value;
}

/** A hole is not `undefined`: `in`, `forEach` and `Object.keys` tell them apart. */
function digHoles(from: readonly unknown[], items: unknown[]): void {
  for (let i = 0; i < from.length; i++) if (!(i in from)) Reflect.deleteProperty(items, i);
}

function copyBuiltIn(value: object, visit: (value: unknown) => unknown): unknown {
  switch (Object.getPrototypeOf(value)) {
    case Date.prototype:
      return new Date((value as Date).getTime());
    case Map.prototype: {
      left -= (value as Map<unknown, unknown>).size;
      const map = new Map<unknown, unknown>();
      if (left >= 0) for (const [key, member] of value as typeof map) map.set(visit(key), visit(member));
      return map;
    }
    case Set.prototype: {
      left -= (value as Set<unknown>).size;
      const set = new Set<unknown>();
      if (left >= 0) for (const member of value as typeof set) set.add(visit(member));
      return set;
    }
    case RegExp.prototype: {
      const pattern = new RegExp((value as RegExp).source, (value as RegExp).flags);
      pattern.lastIndex = (value as RegExp).lastIndex;
      return pattern;
    }
  }
  return copyBytes(value);
}

/** Only the part that is seen is copied: a view of ten bytes may look into a gigabyte. 64 bytes count as a member. */
function copyBytes(value: object): unknown {
  if (value instanceof ArrayBuffer) {
    left -= value.byteLength >> 6;
    return left < 0 ? value : value.slice(0);
  }
  if (!ArrayBuffer.isView(value)) return value;
  left -= value.byteLength >> 6;
  if (left < 0) return value;
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  if (value instanceof DataView) {
    const { buffer, byteOffset, byteLength } = value;
    return new DataView(buffer.slice(byteOffset, byteOffset + byteLength));
  }
  return (value as Uint8Array).slice();
}

/** Members that the last `copyValue` with this limit visited, when it copied. */
export function copiedMembers(limit: number): number {
  return Math.max(0, limit - left);
}
