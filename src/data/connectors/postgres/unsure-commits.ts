import { CutoverError } from "../../../core/index.ts";
import type { TargetWrite } from "../../connector.ts";
import type { Session } from "./session.ts";

interface Unsure {
  /** Open when it was committed: one that is still of use says that the server has not crashed since. */
  readonly sessions: ReadonlySet<Session>;
  readonly checkpoint: Buffer | undefined;
}

/**
 * What each job committed last without waiting for the disk. A connection may end because the server crashed, which takes back what was
 * not there: nothing may be written upon that.
 */
export class UnsureCommits {
  readonly #store: string;
  readonly #last = new Map<string, Unsure>();

  constructor(store: string) {
    this.#store = store;
  }

  /** `sessions`: those that were open before it was committed, its own among them. */
  note(sessions: ReadonlySet<Session>, { job, checkpoint, durable = true }: TargetWrite): void {
    if (!durable) {
      const kept = checkpoint === undefined ? undefined : Buffer.from(checkpoint);
      this.#last.set(job, { sessions, checkpoint: kept });
      return;
    }
    // A commit that waited has brought all before it to the disk, of every job. Of a connection made since nobody knows.
    for (const [other, last] of this.#last)
      if (other === job || [...sessions].some((session) => last.sessions.has(session)))
        this.#last.delete(other);
  }

  /**
   * @param saved reads the job's checkpoint
   * @throws CUTOVER_DATA_UNAVAILABLE when the last of them is gone
   */
  async require(
    session: Session,
    { job, changes, rows, packed, checkpoint }: TargetWrite,
    saved: () => Promise<Buffer | undefined>,
  ): Promise<void> {
    const last = this.#last.get(job);
    if (last === undefined || last.sessions.has(session)) return;
    const claims = changes.length + rows.length === 0 && packed === undefined && checkpoint === undefined;
    if (claims) {
      // Who claims the job reads its checkpoint after that.
      this.#last.delete(job);
      return;
    }
    const kept = await saved();
    if (last.checkpoint !== undefined && kept?.equals(last.checkpoint) === true) return;
    this.#last.delete(job);
    throw new CutoverError("CUTOVER_DATA_UNAVAILABLE", {
      message: `expected what job "${job}" wrote last to be there when the connection came back, found an earlier moment: the server must have crashed`,
      place: this.#store,
      details: { job },
      remedy: "resume the move: it goes on from the checkpoint that is there",
    });
  }
}
