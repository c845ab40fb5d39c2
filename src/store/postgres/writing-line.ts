import type { Statement } from "../sql/program.ts";
import { leastFence, timeline } from "./lineage.ts";
import type { Session } from "./session.ts";

export interface WritingLineOptions {
  /** The connection the store was opened with; others follow when it is lost. */
  readonly first: Session;
  /** See `leastFence`: of the server that it is connected to. */
  readonly firstFence: number | undefined;
  readonly open: () => Promise<Session>;
  /** Ends what an earlier connection of this line left open on the server. */
  readonly endOthers: Statement;
  /** Called with each connection after the first, before anything is written: another server may be behind the address. */
  readonly returned: (session: Session) => Promise<void>;
}

/** The one connection that a writer has, and the next one when it is lost. */
export class WritingLine {
  readonly #options: WritingLineOptions;
  #session: Session | undefined;
  #leastFence: number | undefined;

  constructor(options: WritingLineOptions) {
    this.#options = options;
    this.#session = options.first;
    this.#leastFence = options.firstFence;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  /** See `leastFence`: of the server that is connected to. */
  get leastFence(): number {
    return this.#leastFence ?? 0;
  }

  async connected(): Promise<Session> {
    let session = this.#session;
    if (session === undefined || session.lost !== undefined) {
      this.#session = this.#leastFence = undefined;
      session = await this.#options.open();
      this.#session = session;
      // The server may not have noticed yet that the connection before is gone, and its transaction holds the chain.
      const [ended, line] = await session.settle([this.#options.endOthers, timeline]);
      if (ended?.ok === false) throw ended.error;
      this.#leastFence = leastFence(line);
      try {
        await this.#options.returned(session);
      } catch (error) {
        session.destroy("what it is connected to could not be looked at");
        throw error;
      }
    }
    // A standby has told nothing, and may have become the primary.
    this.#leastFence ??= leastFence((await session.settle([timeline]))[0]);
    return session;
  }
}
