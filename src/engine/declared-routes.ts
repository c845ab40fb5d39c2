import type { JsonObject } from "../core/index.ts";
import type { Declared } from "../gates/index.ts";
import type { Settings } from "./desk.ts";
import type { Journal } from "./journal.ts";
import { evidenceEvents } from "./records.ts";
import type { RunMemory } from "./run-memory.ts";

/** Name of the evidence that keeps what was declared about a route. */
const evidenceName = (route: string): string => `declared for ${route}`;

/** Gates are looked at several times a second; what applications declare may have to be read from a shared store. */
const goodFor = 1_000;

/** All that is known, and which names no connected application declares any more. */
export type KnownDeclaration = Declared & { readonly gone: readonly string[] };

/**
 * What applications declare about routes whose coverage is judged. Declarations live in the owner's memory, for as long
 * as their door is connected; a verdict on coverage must not forget an untested operation because the owner, or the
 * application, was restarted. So what is declared during the run is kept in its record: operations and cohorts of all doors
 * together, growing. About names that are declared now, the connected applications decide.
 */
export class DeclaredRoutes {
  readonly #settings: Pick<Settings, "declarations" | "clock">;
  readonly #memory: RunMemory;
  readonly #journal: Pick<Journal, "write" | "closed">;
  readonly #kept = new Map<string, Declared | undefined>();

  readonly #answers = new Map<
    string,
    { readonly at: number; readonly known: KnownDeclaration | undefined }
  >();

  constructor(
    settings: Pick<Settings, "declarations" | "clock">,
    memory: RunMemory,
    journal: Pick<Journal, "write" | "closed">,
  ) {
    this.#settings = settings;
    this.#memory = memory;
    this.#journal = journal;
  }

  /** Undefined while no application has declared the route in this run. */
  async of(route: string): Promise<KnownDeclaration | undefined> {
    const at = this.#settings.clock.monotonic();
    const answer = this.#answers.get(route);
    if (answer !== undefined && at - answer.at < goodFor) return answer.known;
    const known = await this.#look(route);
    this.#answers.set(route, { at, known });
    return known;
  }

  async #look(route: string): Promise<KnownDeclaration | undefined> {
    const live = await this.#settings.declarations(route);
    if (!this.#kept.has(route)) this.#kept.set(route, this.#recorded(route));
    const kept = this.#kept.get(route);
    if (live.length === 0 && kept === undefined) return undefined;
    const now = together(live);
    const all = kept === undefined ? now : grown(kept, now);
    if (kept === undefined || !same(kept, all)) {
      const data: JsonObject = { route, ...all, never: { ...all.never } };
      // A closed journal belongs to a run that is over, or to another carrier: nothing is judged by this any more.
      if (this.#journal.closed === undefined)
        await this.#journal.write(...evidenceEvents(this.#memory, evidenceName(route), data).events);
      this.#kept.set(route, all);
    }
    const gone = [
      ...all.operations.filter((name) => !now.operations.includes(name)),
      ...all.cohorts.filter((name) => !now.cohorts.includes(name)).map((name) => `cohort ${name}`),
    ];
    return { ...all, gone: live.length === 0 ? [] : gone };
  }

  /** Keeps what is declared, for the verdicts that come later. */
  async note(route: string): Promise<void> {
    if (this.#journal.closed === undefined) await this.of(route);
  }

  /** All that the record keeps about it, in the order in which it was noted. */
  #recorded(route: string): Declared | undefined {
    const found = [...this.#memory.evidence.values()]
      .filter(({ name }) => name === evidenceName(route))
      .toSorted((a, b) => a.at - b.at)
      .map(({ data }) => data as unknown as Declared)
      .map(({ operations, cohorts, never }): Declared => ({ operations, cohorts, never }));
    return found.length === 0 ? undefined : found.reduce(grown);
  }
}

/** All doors as one. An operation that one door shadows and another never does is demanded. */
function together(declarations: Awaited<ReturnType<Settings["declarations"]>>): Declared {
  const operations = unique(declarations.flatMap((each) => each.operations));
  const cohorts = unique(declarations.flatMap((each) => each.cohorts ?? []));
  const refused = declarations.flatMap((each) => Object.entries(each.never ?? {}));
  return neverWithout({ operations, cohorts, never: Object.fromEntries(refused) }, operations);
}

function grown(kept: Declared, now: Declared): Declared {
  const operations = unique([
    ...kept.operations.filter((name) => now.never[name] === undefined),
    ...now.operations,
  ]);
  const cohorts = unique([...kept.cohorts, ...now.cohorts]);
  return neverWithout({ operations, cohorts, never: { ...kept.never, ...now.never } }, operations);
}

function neverWithout(declared: Declared, operations: readonly string[]): Declared {
  const never = Object.entries(declared.never)
    .filter(([name]) => !operations.includes(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return { ...declared, never: Object.fromEntries(never) };
}

const unique = (names: readonly string[]): readonly string[] => [...new Set(names)].sort();

const same = (a: Declared, b: Declared): boolean => JSON.stringify(a) === JSON.stringify(b);
