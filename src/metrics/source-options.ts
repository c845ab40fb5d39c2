import { type Duration, nameOneOf, parseDuration } from "../core/index.ts";

/** Collects what is wrong with a source's options; a definition reports it with its place. */
export class OptionProblems {
  readonly list: string[] = [];

  /** @param known names of all options; the others are refused, since they would do nothing */
  constructor(options: unknown, known: readonly string[]) {
    if (typeof options !== "object" || options === null) {
      this.list.push(`expected options, found ${shown(options)}`);
      return;
    }
    for (const key of Object.keys(options))
      if (!known.includes(key)) this.list.push(`knows no \`${key}\`: ${nameOneOf(key, known, "remove it")}`);
  }

  expect(good: boolean, expected: string, found: unknown): void {
    if (!good) this.list.push(`expected ${expected}, found ${shown(found)}`);
  }

  text(name: string, found: unknown): void {
    this.expect(typeof found === "string" && found.trim() !== "", `\`${name}\` to be a text`, found);
  }

  /** Milliseconds; NaN once it is noted that they cannot be read. */
  duration(name: string, found: Duration | undefined, usual: Duration, least = 1): number {
    try {
      const ms = parseDuration(found ?? usual);
      if (ms >= least) return ms;
    } catch {
      // Noted below.
    }
    this.expect(false, `\`${name}\` to be a duration of at least ${least} ms`, found);
    return Number.NaN;
  }

  url(found: unknown): void {
    const text = typeof found === "string" ? found.replaceAll(/\{(from|to)\}/g, "0") : undefined;
    const good = text !== undefined && URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
    this.expect(good, "`url` to be an address that begins with http:// or https://", found);
    if (!good || text === undefined) return;
    const { username, password } = new URL(text);
    this.expect(
      username === "" && password === "",
      "`url` without a password, which would stand in records (take it from the environment: `bearerFrom`, or `headers` with { env })",
      "one",
    );
  }
}

export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint" || typeof value === "symbol") return String(value);
  return (JSON.stringify(value) ?? "nothing").slice(0, 80);
}
