import type { Place } from "../map.ts";
import type { Source, Target } from "../connector.ts";
import { unpacked } from "../packed-write.ts";
import { placeId } from "./expected.ts";

/** Places that were touched, as they are looked at. */
export interface TouchedPlaces {
  readonly complete: boolean;
  readonly sourceKeys: readonly Place[];
  readonly targetPlaces: readonly Place[];
}

/**
 * What a move has changed since a verification began: keys that came in the source's log, and places written on the target.
 * With it the proof stays current under writes: at the cutover only these are read again. Bounded: beyond `limit` places it
 * knows only that there were too many, and everything is read again.
 */
export class Touched implements TouchedPlaces {
  readonly #limit: number;
  #source = new Map<string, Place>();
  #target = new Map<string, Place>();
  #complete = false;

  /** Most places of each side that are remembered. Default 100,000. */
  constructor(options: { readonly limit?: number } = {}) {
    this.#limit = options.limit ?? 100_000;
  }

  /** Forgets what was; call it right before the verification that the next `verifyTouched` builds on. */
  begin(): void {
    this.#source = new Map();
    this.#target = new Map();
    this.#complete = true;
  }

  /** False before `begin`, and when more was touched than is remembered: then everything has to be verified. */
  get complete(): boolean {
    return this.#complete;
  }

  get sourceKeys(): readonly Place[] {
    return [...this.#source.values()];
  }

  get targetPlaces(): readonly Place[] {
    return [...this.#target.values()];
  }

  /** How many places of the side with more of them. */
  get size(): number {
    return Math.max(this.#source.size, this.#target.size);
  }

  /** Hands out what is remembered and goes on with nothing: for a look while the move goes on. */
  take(): TouchedPlaces {
    const taken = {
      complete: this.#complete,
      sourceKeys: this.sourceKeys,
      targetPlaces: this.targetPlaces,
    };
    if (this.#complete) this.begin();
    return taken;
  }

  /** Remembers again what such a look did not find equal. */
  again({ sourceKeys, targetPlaces }: Omit<TouchedPlaces, "complete">): void {
    this.#note(this.#source, sourceKeys);
    this.#note(this.#target, targetPlaces);
  }

  /** The source as the move is to see it: keys in its log are remembered. */
  source(source: Source): Source {
    const note = (places: readonly Place[]): void => this.#note(this.#source, places);
    return overlay(source, {
      async *log(...args: Parameters<Source["log"]>) {
        for await (const batch of source.log(...args)) {
          for (const { changes } of batch.transactions) note(changes);
          yield batch;
        }
      },
    });
  }

  /** The target as the move is to see it: places are remembered before they are written, so that none is missed by a crash. */
  target(target: Target): Target {
    return overlay(target, {
      applyTxn: (write: Parameters<Target["applyTxn"]>[0]) => {
        this.#note(this.#target, write.changes);
        if (this.#complete) this.#note(this.#target, unpacked(write).rows);
        return target.applyTxn(write);
      },
    });
  }

  #note(known: Map<string, Place>, places: readonly Place[]): void {
    if (!this.#complete) return;
    for (const { collection, key } of places) {
      // What a move keeps for itself is no row of anybody.
      if (!collection.startsWith("cutover_")) known.set(placeId({ collection, key }), { collection, key });
    }
    if (known.size <= this.#limit) return;
    this.#complete = false;
    known.clear();
  }
}

/** `base` with some calls replaced; the others run on `base` itself, whose private parts a proxy cannot reach. */
export function overlay<T extends object>(base: T, replaced: Partial<T>): T {
  return new Proxy(base, {
    get(target, name) {
      if (Object.hasOwn(replaced, name)) return Reflect.get(replaced, name) as unknown;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
