import { canonicalJson, CutoverError, type Json, type JsonObject } from "../../core/index.ts";

/** Names of members from the outside in; of a list, the number of an item. */
export type MemberPath = readonly string[];

/** One member that becomes `value`, or goes where there is none. */
export interface Edit {
  readonly path: MemberPath;
  readonly value: Json | undefined;
}

/** `cache.size`, or as a JSON pointer (RFC 6901) where names have dots in them: `/hosts/db.local/port`. */
export function readPath(text: string): MemberPath | undefined {
  if (text === "") return undefined;
  if (!text.startsWith("/")) return text.split(".").includes("") ? undefined : text.split(".");
  if (/~(?![01])/.test(text)) return undefined;
  return text
    .slice(1)
    .split("/")
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
}

export function pathText(path: MemberPath): string {
  if (path.length === 0) return "(all of it)";
  if (path.every((name) => name !== "" && !/[./]/.test(name))) return path.join(".");
  return path.map((name) => `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Place of an item in a list, its end included for one that is added; undefined for what is none. */
export function itemAt(name: string, length: number): number | undefined {
  const index = Number(name);
  return /^(0|[1-9]\d*)$/.test(name) && index <= length ? index : undefined;
}

/** The value with one edit made; objects that are missing on the way are made. */
export function edited(whole: Json | undefined, { path, value }: Edit, at = 0): Json | undefined {
  const name = path[at];
  if (name === undefined) return value;
  if (Array.isArray(whole)) {
    const items = whole as readonly Json[];
    const index = itemAt(name, items.length);
    const next = index === undefined ? undefined : edited(items[index], { path, value }, at + 1);
    if (index === undefined || next === undefined) throw noMember(path, at, whole);
    return items.toSpliced(index, 1, next);
  }
  if (whole !== undefined && !isObject(whole)) throw noMember(path, at, whole);
  const members: JsonObject = whole ?? {};
  const there = Object.hasOwn(members, name) ? members[name] : undefined;
  if (there === undefined && value === undefined) return whole;
  const next = edited(there, { path, value }, at + 1);
  if (next !== undefined) return Object.fromEntries([...Object.entries(members), [name, next]]);
  return Object.fromEntries(Object.entries(members).filter(([each]) => each !== name));
}

export function noMember(path: MemberPath, at: number, found: unknown): CutoverError {
  const what = JSON.stringify(found) ?? "nothing";
  return new CutoverError("CUTOVER_DATA_OPTIONS", {
    message: `expected "${pathText(path.slice(0, at))}" to have a member "${path[at] ?? ""}" that can be changed, found ${
      Array.isArray(found) ? `a list of ${found.length}` : what.length > 60 ? `${what.slice(0, 57)}…` : what
    }`,
    place: pathText(path),
    remedy: Array.isArray(found)
      ? "name an item by its number, or set the whole list; items are not removed one by one"
      : "set what stands there itself, or name another member",
  });
}

/** What has to be edited so that `from` becomes `to`. Members that are the same are left alone, to the letter. */
export function editsBetween(from: Json | undefined, to: Json | undefined, path: MemberPath = []): Edit[] {
  if (isObject(from) && isObject(to)) {
    const has = (of: JsonObject, name: string): Json | undefined =>
      Object.hasOwn(of, name) ? of[name] : undefined;
    const names = [...new Set([...Object.keys(from), ...Object.keys(to)])];
    return names.flatMap((name) => editsBetween(has(from, name), has(to, name), [...path, name]));
  }
  if (Array.isArray(from) && Array.isArray(to) && from.length === to.length) {
    const items = to as readonly Json[];
    return items.flatMap((item, index) => editsBetween(from[index] as Json, item, [...path, String(index)]));
  }
  const same =
    from === undefined || to === undefined ? from === to : canonicalJson(from) === canonicalJson(to);
  return same ? [] : [{ path, value: to }];
}
