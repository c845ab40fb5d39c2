import { CutoverError, type Stage, stages } from "../../core/index.ts";

/** What a file says of a route. It has no epoch: what it says now is in force, also when that was so before. */
export interface WrittenStage {
  readonly route: string;
  readonly stage: Stage;
  readonly share: number;
  readonly salt: string;
}

/** Share at stages where it plays no part. */
const plainShare: Readonly<Partial<Record<Stage, number>>> = {
  off: 0,
  dualwrite: 0,
  shadow: 0,
  rampdown: 100,
  complete: 100,
};

/**
 * Reads a file of stages as a person writes it, `{ "orders.get": { "stage": "live", "share": 10 } }`, or as
 * `cutover route --json` and `routes.json` have it: a list of states, or `{ "routes": [...] }`.
 * @throws CUTOVER_STAGES_INVALID with the place in the file, e.g. `stages.json: orders.get.share`
 */
export function readStageFile(text: string, file: string): readonly WrittenStage[] {
  let found: unknown;
  try {
    found = JSON.parse(text.replace(/^\ufeff/, ""));
  } catch (cause) {
    throw new CutoverError("CUTOVER_STAGES_INVALID", {
      message: `expected JSON, found ${text.trim() === "" ? "nothing" : (cause as Error).message}`,
      place: file,
      cause,
    });
  }
  const list = Array.isArray(found) ? found : (found as { readonly routes?: unknown } | null)?.routes;
  if (Array.isArray(list)) {
    const written = list.map((each: unknown, index) => readEntry(each, `routes[${index}]`, file, undefined));
    const names = written.map(({ route }) => route);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) throw invalid(file, twice, "each route once", "it twice");
    return written;
  }
  const members = Object.entries(plainObject(found, file, "", "an object of routes, or a list"));
  return members.map(([route, each]) => readEntry(each, route, file, route));
}

const known: ReadonlySet<string> = new Set(["stage", "share", "salt"]);
/** A list's entries name their route, and come from a record that has epochs. */
const knownInList: ReadonlySet<string> = new Set([...known, "route", "epoch"]);

function readEntry(found: unknown, at: string, file: string, name: string | undefined): WrittenStage {
  const entry = plainObject(found, file, at, 'an object such as { "stage": "live", "share": 10 }');
  const allowed = name === undefined ? knownInList : known;
  const odd = Object.keys(entry).find((member) => !allowed.has(member));
  if (odd !== undefined)
    throw invalid(file, `${at}.${odd}`, `one of the members ${[...allowed].join(", ")}`, odd);
  const route = name ?? entry["route"];
  if (typeof route !== "string" || !/^[\w.:/@-]{1,200}$/.test(route))
    throw invalid(file, name === undefined ? `${at}.route` : at, "the name of a route", route);
  const stage = stages.find((each) => each === entry["stage"]);
  if (stage === undefined) throw invalid(file, `${at}.stage`, `one of ${stages.join(", ")}`, entry["stage"]);
  const share = entry["share"] ?? plainShare[stage];
  if (typeof share !== "number" || !(share >= 0 && share <= 100))
    throw invalid(file, `${at}.share`, "a percentage from 0 to 100", entry["share"]);
  const salt = entry["salt"] ?? route;
  if (typeof salt !== "string" || salt === "") throw invalid(file, `${at}.salt`, "a text", entry["salt"]);
  return { route, stage, share, salt };
}

function plainObject(
  found: unknown,
  file: string,
  at: string,
  expected: string,
): Readonly<Record<string, unknown>> {
  if (typeof found === "object" && found !== null && !Array.isArray(found))
    return found as Readonly<Record<string, unknown>>;
  throw invalid(file, at, expected, found);
}

function invalid(file: string, at: string, expected: string, found: unknown): CutoverError {
  const text = found === undefined ? "nothing" : (JSON.stringify(found) ?? typeof found);
  return new CutoverError("CUTOVER_STAGES_INVALID", {
    message: `expected ${expected}, found ${text.length <= 60 ? text : `${text.slice(0, 57)}…`}`,
    place: at === "" ? file : `${file}: ${at}`,
    details: { file, at },
  });
}
