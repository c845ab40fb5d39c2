import { leastFence } from "./lineage.ts";
import type { Session } from "./session.ts";

export interface WritingLineOptions {
  /** The connection the store was opened with; others follow when it is lost. */
  readonly first: Session;
  readonly open: () => Promise<Session>;
  /** Ends what an earlier connection of this line left open on the server. */
  readonly endOthers: (session: Session) => Promise<void>;
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
      await this.#options.endOthers(session);
      try {
        await this.#options.returned(session);
      } catch (error) {
        session.destroy("what it is connected to could not be looked at");
        throw error;
      }
    }
    this.#leastFence ??= await leastFence(session);
    return session;
  }
}
