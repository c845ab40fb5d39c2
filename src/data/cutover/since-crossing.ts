import type { Change, Reader, Target, TargetWrite } from "../connector.ts";
import { keptKey, type Place } from "../map.ts";
import { unpacked } from "../packed-write.ts";
import { getKept, keptUnder } from "../verify/kept-rows.ts";
import { overlay } from "../verify/touched.ts";

/** Collection of the old side in which it is noted what was brought there. */
const kept = "cutover_since";
/** What a note holds: not every store knows a value without bytes. */
const noted = new Uint8Array([1]);
const whole: Place = { collection: "", key: new Uint8Array() };

/**
 * What the stream that leads back has touched since a crossing: places of the new side and, through a map, rows of the old one. Kept
 * on the old side in the transaction that writes the rows, so that nothing is written there without its note. Both sides
 * were found equal at the turn, and since then nobody but the stream has written to the old one: so what is noted, and what
 * the log still has, is all that can differ.
 */
export class SinceCrossing {
  readonly #name: string;
  readonly #mapped: boolean;

  /** `job`: of the stream that leads back. */
  constructor(job: string, mapped: boolean) {
    this.#name = `since:${job}`;
    this.#mapped = mapped;
  }

  /** Under which names notes lie in `collection`. */
  readonly collection: string = kept;
  get names(): readonly string[] {
    return [this.#equalName, this.#nameOf("new"), this.#nameOf("old")];
  }

  /** The old side, with a note of each place in the transaction of what `through` makes of it. */
  noting(old: Target, through: (old: Target) => Target): Target {
    return overlay(old, {
      applyTxn: (write: TargetWrite): Promise<void> => {
        const places = [...write.changes, ...unpacked(write).rows].map((place) => this.#note("new", place));
        const noting = overlay(old, {
          applyTxn: (written: TargetWrite): Promise<void> => {
            const rows = this.#mapped
              ? written.changes
                  .filter(({ collection }) => !collection.startsWith("cutover_"))
                  .map((place) => this.#note("old", place))
              : [];
            return old.applyTxn({ ...written, changes: [...written.changes, ...places, ...rows] });
          },
        });
        return through(noting).applyTxn(write);
      },
    });
  }

  /** That both sides were equal at the turn of this epoch, and that all since then is noted. */
  begun(epoch: number): Change {
    return { collection: kept, key: keptKey(this.#equalName, whole), value: Buffer.from(String(epoch)) };
  }

  /** The epoch since which all is noted; undefined when that is not known. */
  async since(old: Pick<Reader, "get">): Promise<number | undefined> {
    const [epoch] = await getKept(old, kept, [keptKey(this.#equalName, whole)]);
    return epoch === undefined ? undefined : Number(Buffer.from(epoch).toString());
  }

  /** Places of the new side that were brought back. */
  places(old: Pick<Reader, "scan">): AsyncGenerator<readonly Place[]> {
    return keptUnder(old, kept, this.#nameOf("new"));
  }

  /** Rows of the old side that were written; none without a map, as they lie where those of the new side do. */
  rows(old: Pick<Reader, "scan">): AsyncGenerator<readonly Place[]> {
    return keptUnder(old, kept, this.#nameOf("old"));
  }

  get #equalName(): string {
    return `${this.#name}:equal`;
  }

  #nameOf(side: "old" | "new"): string {
    return `${this.#name}:${side}`;
  }

  #note(side: "old" | "new", place: Place): Change {
    return { collection: kept, key: keptKey(this.#nameOf(side), place), value: noted };
  }
}
