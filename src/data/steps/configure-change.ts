import { canonicalJson, CutoverError, isCutoverError, type Json } from "../../core/index.ts";
import { editJson, inexactIn, readJson } from "./configure-json.ts";
import { edited, type Edit, editsBetween, isObject, pathText, readPath } from "./configure-path.ts";
import { editYaml, readYaml, writeYaml } from "./configure-yaml.ts";
import type { Problems } from "./step-input.ts";

/** How the bytes of a place are read: `value` is what a place of one's own gives. */
export type ConfigFormat = "json" | "yaml" | "text" | "bytes" | "value";

/**
 * What becomes of a configuration. A function is given what is there (undefined: nothing) and gives what shall be there.
 * `set` and `remove` name members as `cache.size` or, where names have dots, `/hosts/db.local`; of a list, an item by its
 * number. `to` is the whole of it.
 */
export type ConfigChange<T> =
  | ((old: T) => T | Promise<T>)
  | { readonly set?: Readonly<Record<string, Json>>; readonly remove?: readonly string[] }
  | { readonly to: Json | Uint8Array };

export type AnyChange = ConfigChange<never>;

/** Everything wrong with a change, found without looking at the place. */
export function changeProblems(found: Problems, change: unknown, format: ConfigFormat): void {
  const remedy = 'write { set: { "cache.size": 512 } }, { to: … }, or a function from old to new';
  if (typeof change === "function") return;
  if (!isObject(change)) {
    found.add("change", "a function, { set, remove } or { to }", change, remedy);
    return;
  }
  const { set, remove, to, ...unknown } = change as Record<string, unknown>;
  for (const name of Object.keys(unknown)) found.add(`change.${name}`, "set, remove or to", name, remedy);
  if (to !== undefined) {
    if (set !== undefined || remove !== undefined)
      found.add("change", "either `to`, or `set` and `remove`", Object.keys(change), remedy);
    if (format === "bytes" ? !(to instanceof Uint8Array) : format === "text" && typeof to !== "string")
      found.add(
        "change.to",
        format === "bytes" ? "a Uint8Array" : "a text",
        to,
        `the format of the place is ${format}`,
      );
    else if ((format === "json" || format === "yaml") && typeof to === "string")
      // Taken as a value the whole file would become one text in quotes.
      found.add(
        "change.to",
        "the value itself, as an object",
        to,
        'parse the text, or say format: "text" to write it as it is',
      );
    else if (format !== "bytes" && !isJson(to)) found.add("change.to", "JSON", typeof to, remedy);
    return;
  }
  if (set === undefined && remove === undefined) found.add("change", "set, remove or to", change, remedy);
  if (format === "text" || format === "bytes")
    found.add(
      "change",
      `a function or { to }, as the format is ${format}`,
      Object.keys(change),
      'members are set where the format is "json" or "yaml": name the file so, or say format: "json"',
    );
  memberProblems(found, set, remove);
}

function memberProblems(found: Problems, set: unknown, remove: unknown): void {
  if (set !== undefined && (!isObject(set) || Object.keys(set).length === 0))
    found.add("change.set", "an object of members and values", set, 'write { "cache.size": 512 }');
  if (isObject(set))
    for (const [name, value] of Object.entries(set))
      if (!isJson(value))
        found.add(`change.set["${name}"]`, "JSON", typeof value, "write a value as JSON has it");
  const removed = Array.isArray(remove) ? (remove as readonly unknown[]) : [];
  if (remove !== undefined && (removed.length === 0 || removed.some((name) => typeof name !== "string")))
    found.add("change.remove", "a list of members", remove, 'write ["cache.old"]');
  const names = [...(isObject(set) ? Object.keys(set) : []), ...removed];
  for (const name of names)
    if (typeof name === "string" && readPath(name) === undefined)
      found.add("change", "members as `a.b` or `/a/b`", name, "write the names from the outside in");
}

function isJson(value: unknown): value is Json {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (Array.isArray(value)) return (value as readonly unknown[]).every(isJson);
  if (!isObject(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return (
    (prototype === Object.prototype || prototype === null) &&
    Object.values(value).every((member) => member === undefined || isJson(member))
  );
}

/** What is there, as the format reads it. @throws CUTOVER_DATA_FORMAT */
export function valueIn(bytes: Uint8Array, format: ConfigFormat, place: string): unknown {
  if (format === "bytes") return bytes;
  const text = textOf(bytes, place);
  if (format === "text") return text;
  return format === "yaml" ? readYaml(text, place) : readJson(text, place);
}

/**
 * The bytes that shall be there. Of JSON and YAML only what is edited changes; order, comments and numbers elsewhere stay.
 * @throws CUTOVER_DATA_FORMAT, CUTOVER_DATA_OPTIONS
 */
export async function changed(
  before: Uint8Array | undefined,
  change: AnyChange,
  { format, place }: { readonly format: ConfigFormat; readonly place: string },
): Promise<Uint8Array> {
  const old = before === undefined ? undefined : valueIn(before, format, place);
  if (format === "bytes" || format === "text") {
    const made: unknown = "to" in change ? change.to : await call(change, old, place);
    if (format === "text" ? typeof made === "string" : made instanceof Uint8Array)
      return Buffer.from(made as string);
    throw gave(place, format === "text" ? "a text" : "a Uint8Array", made);
  }
  const json = old as Json | undefined;
  const [edits, wanted] = await editsOf(change, json, place);
  if (edits.length === 0 && before !== undefined) return before;
  const bytes = Buffer.from(
    edit(before, { edits, wanted, format, place, exact: typeof change !== "function" }),
  );
  // What stands there now is read once more: a text that an edit broke is not written.
  const again = valueIn(bytes, format, place) as Json;
  if (canonicalJson(again) === canonicalJson(wanted)) return bytes;
  throw new CutoverError("CUTOVER_DATA_FORMAT", {
    message: `expected the edited text to say what was set, found that it says something else near "${pathText(
      editsBetween(wanted, again)[0]?.path ?? [],
    )}"`,
    place,
    remedy: "give the whole of it by { to }, or as text",
  });
}

async function editsOf(
  change: AnyChange,
  old: Json | undefined,
  place: string,
): Promise<readonly [readonly Edit[], Json]> {
  if (typeof change !== "function" && !("to" in change)) {
    const set = Object.entries(change.set ?? {}).map(([name, value]) => ({ path: at(name), value }));
    const remove = (change.remove ?? []).map((name) => ({ path: at(name), value: undefined }));
    const all: readonly Edit[] = [...set, ...remove];
    let now = old;
    const needed: Edit[] = [];
    for (const each of all) {
      const next = edited(now, each);
      if (canonicalJson(next ?? null) !== canonicalJson(now ?? null)) needed.push(each);
      now = next;
    }
    return [needed, now ?? {}];
  }
  const made: unknown =
    typeof change === "function" ? await call(change, structuredClone(old), place) : change.to;
  if (!isJson(made)) throw gave(place, "JSON", made);
  const wanted = JSON.parse(JSON.stringify(made)) as Json;
  return [editsBetween(old, wanted), wanted];
}

const at = (name: string): readonly string[] => readPath(name) ?? [name];

function edit(
  before: Uint8Array | undefined,
  made: {
    readonly edits: readonly Edit[];
    readonly wanted: Json;
    readonly format: ConfigFormat;
    readonly place: string;
    readonly exact: boolean;
  },
): string {
  const { edits, wanted, format, place, exact } = made;
  if (format === "value") return JSON.stringify(wanted);
  if (before === undefined || (format === "yaml" && readYaml(textOf(before, place), place) === undefined))
    return format === "yaml" ? writeYaml(wanted) : `${JSON.stringify(wanted, null, 2)}\n`;
  const text = textOf(before, place);
  if (format === "yaml") return editYaml(text, edits, place);
  for (const { path } of exact ? [] : edits) {
    const rounded = inexactIn(text, path, place);
    if (rounded === undefined) continue;
    throw new CutoverError("CUTOVER_DATA_OPTIONS", {
      message: `expected numbers that a function can give back as they are, found ${rounded} within "${pathText(path)}", which would be rounded`,
      place,
      remedy: 'change single members by { set }, or take it as format: "text"',
    });
  }
  return editJson(text, edits, place);
}

async function call(
  change: Exclude<AnyChange, { readonly to: unknown }>,
  old: unknown,
  place: string,
): Promise<unknown> {
  try {
    return await (change as (old: unknown) => unknown)(old);
  } catch (error) {
    if (isCutoverError(error)) throw error;
    throw new CutoverError("CUTOVER_DATA_OPTIONS", {
      message: `the function that changes it threw: ${error instanceof Error ? error.message : String(error)}`,
      place,
      remedy: "correct the function; nothing was written",
      cause: error,
    });
  }
}

function gave(place: string, expected: string, found: unknown): CutoverError {
  const what = found === undefined ? "nothing" : found === null ? "null" : typeof found;
  return new CutoverError("CUTOVER_DATA_OPTIONS", {
    message: `expected the function that changes it to give ${expected}, found ${what}`,
    place,
    remedy: "return the new value; nothing was written",
  });
}

function textOf(bytes: Uint8Array, place: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new CutoverError("CUTOVER_DATA_FORMAT", {
      message: `expected text in UTF-8, found ${bytes.length} bytes that are none`,
      place,
      remedy: 'say format: "bytes"',
      cause: error,
    });
  }
}
