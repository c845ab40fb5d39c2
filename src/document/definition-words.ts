import type { Code } from "./definition-code.ts";
import { call, list, object, words } from "./definition-code.ts";
import type { EvidenceSort } from "../plan/index.ts";

/** Latin letters that Unicode does not take apart. */
const plainLetters: Readonly<Record<string, string>> = {
  ß: "ss",
  æ: "ae",
  œ: "oe",
  ø: "o",
  ł: "l",
  đ: "d",
  þ: "th",
};

/** Kebab-case of at most `limit` characters, cut between words; empty when no Latin letter or digit is in it. */
export function slug(title: string, limit: number = 60): string {
  const parts = title
    .toLowerCase()
    .replaceAll(/[ßæœøłđþ]/g, (letter) => plainLetters[letter] ?? "")
    .normalize("NFKD")
    .replaceAll(/\p{Mark}/gu, "")
    .replaceAll(/['’`]/g, "")
    .split(/[^a-z0-9]+/)
    .filter((part) => part !== "");
  let name = "";
  for (const part of parts) {
    if (name !== "" && name.length + 1 + part.length > limit) break;
    name = name === "" ? part.slice(0, limit) : `${name}-${part}`;
  }
  return name;
}

/** Names that are given once each: the second `test` becomes `test-2`. */
export class Names {
  readonly #taken = new Set<string>();
  readonly #separator: string;

  constructor(separator = "-") {
    this.#separator = separator;
  }

  /** The first of `wishes` that says anything, made unique. */
  take(...wishes: readonly string[]): string {
    const wish = wishes.find((each) => each !== "") ?? "item";
    let name = wish;
    for (let number = 2; this.#taken.has(name); number += 1) name = `${wish}${this.#separator}${number}`;
    this.#taken.add(name);
    return name;
  }
}

/** What the words of a claim ask for, from words that people use for it. */
const asks: Readonly<Record<EvidenceSort, RegExp>> = {
  command:
    /\b(tests?|testing|tested|compil\w*|builds?|lint\w*|clippy|sanitizer|static analysis|coverage|warnings?|benchmark\w*|cyclic|circular|regression|passes|passing|typecheck\w*|scans?|binary|executable|script)\b/i,
  metric:
    /\b(error rate|errors?|latency|throughput|p\d{2}|response times?|performance|regression|degradation|memory|cpu|availability|uptime|downtime|metrics?|health\w*|traffic|monitor\w*|stable|stability)\b/i,
  data: /\b(data|back-?ups?|restor\w*|rows?|records?|integrity|loss|lost|checksums?|counts?|consisten\w*|corrupt\w*|duplicates?|schema|tables?|migrated|inventory)\b/i,
  approval:
    /\b(approv\w*|review\w*|sign(ed)?[- ]?off|notif\w*|stakeholders?|documentation|documented|docs|trained|training|decisions?|decide|agree\w*|communicat\w*|team|plan|playbook|manual\w*|customer|announce\w*)\b/i,
};

/** Sorts of evidence that fit the words; undefined when they say nothing of it: then any sort does. */
export function evidenceFor(claim: string, of: readonly EvidenceSort[]): readonly EvidenceSort[] | undefined {
  // `tests_passing` and `testsPassing` say the same as words do.
  const said = claim.replaceAll("_", " ").replaceAll(/([a-z])([A-Z])/g, "$1 $2");
  const fits = of.filter((sort) => asks[sort].test(said));
  return fits.length === 0 || fits.length === of.length ? undefined : fits;
}

export const everySort: readonly EvidenceSort[] = ["command", "metric", "data", "approval"];
/** A step is something to do: a metric shows how things are, not that somebody did it. */
export const stepSorts: readonly EvidenceSort[] = ["command", "data", "approval"];

/** The claim as code: `unproven("All tests pass", { from: "PLAN.md:31", by: ["command"] })`. */
export function unprovenCode(
  claim: string,
  options: {
    readonly from: string;
    readonly by?: readonly EvidenceSort[] | undefined;
    readonly unit?: string;
  },
): Code {
  const { from, by, unit } = options;
  return call(
    "unproven",
    words(claim),
    object({
      from: words(from),
      by: by === undefined ? undefined : list(by.map(words)),
      unit:
        unit === undefined ? undefined : unit === unitArgument ? { type: "text", text: "unit" } : words(unit),
    }),
  );
}

/** Stands for the argument of a function of the unit, in place of one unit's name. */
export const unitArgument = "\0unit";

/** The number so many decimal places to the left, as text, without the noise of binary fractions: 5.5 → 0.055. */
export function decimal(value: number, places: number): number {
  return Number(`${value}e${-places}`);
}
