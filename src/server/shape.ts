import { CutoverError } from "../core/index.ts";

/** Reads a value that came over the wire as `T`, or refuses it with its place and what was expected there. */
export type Reader<T> = (value: unknown, place: string) => T;

/** @throws CUTOVER_REQUEST_INVALID */
export function refuse(place: string, expected: string, found: unknown): never {
  throw new CutoverError("CUTOVER_REQUEST_INVALID", {
    message: `expected ${expected}, found ${brief(found)}`,
    place,
    details: { place, expected },
  });
}

/** A value in an error message: long ones are cut, so that no answer echoes a payload. */
function brief(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value) ?? typeof value;
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}

/** A text of `least` to `most` UTF-16 units. */
export function text(most: number, least = 1): Reader<string> {
  const expected = `a text of ${least} to ${most} characters`;
  return (value, place) =>
    typeof value === "string" && value.length >= least && value.length <= most
      ? value
      : refuse(place, expected, value);
}

/** A whole number in `least … most`. */
export function whole(most: number = Number.MAX_SAFE_INTEGER, least = 0): Reader<number> {
  const expected = `a whole number from ${least} to ${most}`;
  return (value, place) =>
    typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most
      ? value
      : refuse(place, expected, value);
}

/** Any finite number in `least … most`. */
export function within(least: number, most: number): Reader<number> {
  const expected = `a number from ${least} to ${most}`;
  return (value, place) =>
    typeof value === "number" && value >= least && value <= most ? value : refuse(place, expected, value);
}

export function oneOf<const T extends string>(words: readonly T[]): Reader<T> {
  return (value, place) =>
    words.find((word) => word === value) ?? refuse(place, `one of ${words.join(", ")}`, value);
}

/** A list of at most `most` entries. */
export function listOf<T>(entry: Reader<T>, most: number): Reader<readonly T[]> {
  return (value, place) => {
    if (!Array.isArray(value) || value.length > most) {
      const found = Array.isArray(value) ? `a list of ${value.length}` : value;
      return refuse(place, `a list of at most ${most} entries`, found);
    }
    return value.map((each: unknown, index) => entry(each, `${place}[${index}]`));
  };
}

/** An object with any names as members, at most `most` of them. */
export function mapOf<T>(entry: Reader<T>, most: number): Reader<Readonly<Record<string, T>>> {
  return (value, place) => {
    const members = Object.entries(plainObject(value, place));
    if (members.length > most) refuse(place, `at most ${most} members`, `${members.length} members`);
    // fromEntries defines members, so a name such as __proto__ stays a plain name.
    return Object.fromEntries(members.map(([name, each]) => [name, entry(each, `${place}.${name}`)]));
  };
}

type Members = Readonly<Record<string, Reader<unknown>>>;
type Read<Required extends Members, Optional extends Members> = {
  readonly [Name in keyof Required]: ReturnType<Required[Name]>;
} & { readonly [Name in keyof Optional]?: ReturnType<Optional[Name]> };

/** An object with exactly these members; an unknown one is refused, because it is most often a slip of the pen. */
export function shape<Required extends Members, Optional extends Members = Record<never, never>>(
  required: Required,
  optional?: Optional,
): Reader<Read<Required, Optional>> {
  return (value, place) => {
    const found = plainObject(value, place);
    const known = { ...required, ...optional };
    for (const name of Object.keys(found)) {
      if (!Object.hasOwn(known, name)) {
        refuse(join(place, name), `one of the members ${Object.keys(known).join(", ")}`, name);
      }
    }
    const read: Record<string, unknown> = {};
    for (const [name, reader] of Object.entries(known)) {
      const each = Object.hasOwn(found, name) ? found[name] : undefined;
      if (each === undefined && !Object.hasOwn(required, name)) continue;
      read[name] = reader(each, join(place, name));
    }
    return read as Read<Required, Optional>;
  };
}

const join = (place: string, name: string): string => (place === "" ? name : `${place}.${name}`);

function plainObject(value: unknown, place: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse(place === "" ? "body" : place, "an object", value);
  }
  return value as Readonly<Record<string, unknown>>;
}
