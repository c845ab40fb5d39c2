import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { effectsOf, type Note, type Noted } from "./ledger.ts";

/** Of the ledger's time, in milliseconds. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** One attempt, from its begin to its end as far as anybody knows of one. */
export interface Lived extends Noted {
  readonly process: string;
  readonly begin: number;
  /** Infinity when its process did not come to note it. */
  readonly end: number;
  readonly how: string;
}

/** What all processes of a run noted, put together. */
export interface Book {
  readonly attempts: readonly Lived[];
  /** Attempts whose effect, or whose begin, the ledger refused: a newer one had come. */
  readonly refused: ReadonlySet<string>;
  /** For each process, when it stood still. */
  readonly still: ReadonlyMap<string, readonly Span[]>;
  /** When each process ended, at the latest. */
  readonly ended: ReadonlyMap<string, number>;
}

export const nameOf = ({ n, fence }: Pick<Noted, "n" | "fence">): string => `${n} under fence ${fence}`;

export function readBook(folder: string): Book {
  const attempts: Lived[] = [];
  const refused = new Set<string>();
  const still = new Map<string, Span[]>();
  const ended = new Map<string, number>();
  for (const file of readdirSync(folder).filter((name) => name.startsWith("notes-"))) {
    const process = file.slice("notes-".length);
    const notes = readNotes(join(folder, file));
    const ends = new Map(
      notes.filter(({ what }) => what === "end").map((end) => [nameOf(end as Ended), end as Ended]),
    );
    for (const line of notes) {
      if (line.what === "begin") {
        const { at, what: _, ...noted } = line;
        const end = ends.get(nameOf(noted));
        attempts.push({
          ...noted,
          process,
          begin: at,
          end: end?.at ?? Number.POSITIVE_INFINITY,
          how: end?.how ?? "",
        });
      } else if (line.what === "refused") refused.add(nameOf(line));
      else if (line.what === "ended") ended.set(line.process, line.at);
      else if (line.what === "still") still.set(line.process, [...(still.get(line.process) ?? []), line]);
    }
  }
  return { attempts, refused, still, ended };
}

type Ended = Extract<Note, { what: "end" }>;

/** A line that its process was killed over is no line. */
function readNotes(path: string): readonly Note[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Note);
}

/** Keys under which the effect of an order counts: more than one is an effect too many. */
export function readEffects(folder: string, n: number): readonly string[] {
  try {
    return readdirSync(effectsOf(folder, n))
      .filter((name) => name.endsWith("~"))
      .map((name) => decodeURIComponent(name.slice(0, -1)));
  } catch {
    return [];
  }
}
