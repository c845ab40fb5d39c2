import { bytesOf } from "./kinds.ts";

/** Field names whose values never leave the application, written without case, `_` and `-`. */
const alwaysRedacted: readonly string[] = [
  "password",
  "passwd",
  "passphrase",
  "pin",
  "secret",
  "clientsecret",
  "token",
  "accesstoken",
  "refreshtoken",
  "idtoken",
  "apikey",
  "privatekey",
  "authorization",
  "credential",
  "credentials",
  "cookie",
  "setcookie",
  "session",
  "sessionid",
  "email",
  "phone",
  "ssn",
  "iban",
  "cardnumber",
  "creditcard",
  "cvv",
];

const shownLength = 200;
/** Of these shown before the first difference. */
const shownBefore = 60;
/** Members of one object that are looked at; more never fit into the text. */
const mostShown = 200;
/** Characters of one text that are looked at. */
const longestText = 4_000;
/** How far before a difference a name is sought that hides what stands there. */
const namesWithin = 4_000;
const named =
  /(["']?([\w-]{1,60})["']?\s*[:=]\s*)((?:Bearer|Basic) \S+|"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,;&"'}]+)/gi;
const redacted = "[redacted]";

/** Turns values into short texts without what must not be seen. */
export class Redactor {
  readonly #names: ReadonlySet<string>;

  /** @param more field names to redact besides passwords, tokens, addresses and their like */
  constructor(more: readonly string[] = []) {
    this.#names = new Set([...alwaysRedacted, ...more.map(plainName)]);
  }

  hides(name: string): boolean {
    return this.#names.has(plainName(name));
  }

  /** A value at a dotted path as text of at most 200 characters. */
  show(path: string, value: unknown): string {
    if (path.split(".").some((segment) => this.hides(segment))) return redacted;
    return cut(this.#text(value));
  }

  /** Two values that differ; of long texts the part around the first difference. */
  showBoth(path: string, one: unknown, other: unknown): readonly [string, string] {
    if (
      typeof one !== "string" ||
      typeof other !== "string" ||
      Math.max(one.length, other.length) <= shownLength
    )
      return [this.show(path, one), this.show(path, other)];
    let same = 0;
    while (same < Math.min(one.length, other.length) && one[same] === other[same]) same++;
    const around = (text: string): string => {
      // What is hidden is hidden before the text is cut, or its name might be cut off.
      const from = Math.max(0, same - namesWithin);
      const before = this.#hidden(text.slice(from, same + shownLength));
      const begin = Math.max(
        0,
        before.length - (Math.min(text.length, same + shownLength) - same) - shownBefore,
      );
      return cut(`${from + begin > 0 ? "…" : ""}${before.slice(begin)}`);
    };
    const hide = path.split(".").some((segment) => this.hides(segment));
    return hide ? [redacted, redacted] : [around(one), around(other)];
  }

  /** A text without the values that stand behind a name to hide: `"token": "…"`, `password=…`. */
  #hidden(text: string): string {
    return text.replace(named, (whole: string, head: string, name: string) =>
      this.hides(name) ? `${head}${redacted}` : whole,
    );
  }

  #text(value: unknown): string {
    if (value === undefined) return "undefined";
    if (typeof value === "bigint") return `${value}n`;
    if (typeof value === "function" || typeof value === "symbol") return `(${typeof value})`;
    if (typeof value === "string") return JSON.stringify(this.#hidden(value.slice(0, longestText)));
    let members = 0;
    try {
      const text = JSON.stringify(value, (name: string, member: unknown) => {
        if (this.hides(name)) return redacted;
        // A text of 200 characters holds no more members than this; larger values are not walked to their end.
        if (++members > 500) return undefined;
        if (typeof member === "bigint") return `${member}n`;
        if (typeof member === "string") return this.#hidden(member.slice(0, longestText));
        return typeof member === "object" && member !== null ? trimmed(member) : member;
      });
      return text ?? "undefined";
    } catch {
      return `(${Object.prototype.toString.call(value).slice(8, -1)} that cannot be shown)`;
    }
  }
}

/** The first members of something that may be enormous: the rest would be walked, and shown nowhere. */
function trimmed(value: object): unknown {
  if (Array.isArray(value)) return value.length > mostShown ? value.slice(0, mostShown) : value;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
    return `(${value.byteLength} bytes) ${Buffer.from(bytesOf(value).subarray(0, 64)).toString("hex")}`;
  if (value instanceof Map) return Object.fromEntries(first(value));
  if (value instanceof Set) return [...first(value)];
  const names: string[] = [];
  for (const name in value) {
    if (names.length === mostShown)
      return Object.fromEntries(names.map((kept) => [kept, (value as Record<string, unknown>)[kept]]));
    names.push(name);
  }
  return value;
}

function* first<T>(items: Iterable<T>): Generator<T> {
  let left = mostShown;
  for (const item of items) {
    if (left-- === 0) return;
    yield item;
  }
}

function cut(text: string): string {
  return text.length <= shownLength ? text : `${text.slice(0, shownLength - 1)}…`;
}

const plainName = (name: string): string => name.toLowerCase().replaceAll(/[_-]/g, "");
