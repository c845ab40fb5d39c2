import { canonicalJson, CutoverError, type JsonObject } from "../core/index.ts";
import { linkHash } from "./chain.ts";
import type { OrderEvent } from "./order-events.ts";
import type { RunEvent, StoredEvent } from "./run-events.ts";

export interface ChainEnd {
  readonly seq: number;
  readonly hash: string;
}

/** The events one commit adds to the chain, before they are written. */
export class ChainDraft {
  readonly #start: ChainEnd;
  readonly #events: StoredEvent[] = [];
  /** Canonical JSON of each event's data, as it is hashed and stored. */
  readonly #texts: string[] = [];

  constructor(start: ChainEnd) {
    this.#start = start;
  }

  get events(): readonly StoredEvent[] {
    return this.#events;
  }

  get texts(): readonly string[] {
    return this.#texts;
  }

  get start(): ChainEnd {
    return this.#start;
  }

  get end(): ChainEnd {
    return this.#events.at(-1) ?? this.#start;
  }

  /** @throws CUTOVER_STORE_CONFLICT when the stream's name cannot be stored and read back the same */
  append(at: number, stream: string, event: RunEvent | OrderEvent): StoredEvent {
    if (!stream.isWellFormed() || stream.includes("\0")) {
      throw new CutoverError("CUTOVER_STORE_CONFLICT", {
        message: `expected a name of well-formed text without NUL, found ${JSON.stringify(stream)}`,
        remedy: "give it another name",
      });
    }
    const { seq: last, hash: previous } = this.end;
    const seq = last + 1;
    const { type } = event;
    const text = canonicalJson(event.data);
    const hash = linkHash({ seq, at, stream, type, data: text }, previous);
    // Data of events are JSON by construction; interfaces lack the index signature.
    const data = event.data as unknown as JsonObject;
    const stored: StoredEvent = { seq, at, stream, type, data, previous, hash };
    this.#events.push(stored);
    this.#texts.push(text);
    return stored;
  }

  /** Remembers where it stands; the returned function goes back there. */
  mark(): () => void {
    const { length } = this.#events;
    return () => {
      this.#events.length = length;
      this.#texts.length = length;
    };
  }
}
