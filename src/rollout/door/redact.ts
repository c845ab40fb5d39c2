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

  #text(value: unknown): string {
    if (value === undefined) return "undefined";
    if (typeof value === "bigint") return `${value}n`;
    if (typeof value === "function" || typeof value === "symbol") return `(${typeof value})`;
    let members = 0;
    try {
      const text = JSON.stringify(value, (name: string, member: unknown) => {
        if (this.hides(name)) return redacted;
        // A text of 200 characters holds no more members than this; larger values are not walked to their end.
        if (++members > 500) return undefined;
        if (typeof member === "bigint") return `${member}n`;
        if (member instanceof Map) return Object.fromEntries(member);
        if (member instanceof Set) return [...member];
        return member;
      });
      return text ?? "undefined";
    } catch {
      return `(${Object.prototype.toString.call(value).slice(8, -1)} that cannot be shown)`;
    }
  }
}

function cut(text: string): string {
  return text.length <= shownLength ? text : `${text.slice(0, shownLength - 1)}…`;
}

const plainName = (name: string): string => name.toLowerCase().replaceAll(/[_-]/g, "");
