import type { Program, Statement } from "../sql/program.ts";
import { closedStore } from "../closed-store.ts";
import { explained } from "./own-schema.ts";
import { type Persistence, Tries } from "./persistence.ts";
import type { Session } from "./session.ts";

export interface ReaderOptions extends Persistence {
  /** Most connections for reading. */
  readonly most: number;
  readonly open: () => Promise<Session>;
}

/**
 * Reads over a few connections. Nothing is checked out: a connection takes any number of questions and answers them in
 * order, another one is opened when all are busy.
 */
export class Reader {
  readonly #options: ReaderOptions;
  #sessions: Session[] = [];
  #opening: Promise<Session> | undefined;
  #closed = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** Runs a program that changes nothing; again from its beginning when the connection is lost. */
  async read<T>(program: () => Program<T>): Promise<T> {
    const tries = new Tries(this.#options);
    for (;;) {
      if (this.#closed) throw closedStore(this.#options.place);
      let session: Session | undefined;
      try {
        session = await this.#session();
        return await runProgram(session, program());
      } catch (error) {
        if (this.#closed) throw closedStore(this.#options.place);
        await tries.next(await explained(session, error));
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const opening = await this.#opening?.catch(() => undefined);
    const open = new Set([...this.#sessions, ...(opening === undefined ? [] : [opening])]);
    await Promise.all([...open].map((session) => session.end()));
  }

  async #session(): Promise<Session> {
    this.#sessions = this.#sessions.filter(({ lost }) => lost === undefined);
    const free = this.#sessions.find(({ busy }) => busy === 0);
    if (free !== undefined) return free;
    if (this.#sessions.length < this.#options.most) {
      const opened = (this.#opening ??= this.#open());
      if (this.#sessions.length === 0) return opened;
      opened.catch(() => {
        // Those that are there have to do.
      });
    }
    return this.#sessions.reduce((least, one) => (one.busy < least.busy ? one : least));
  }

  async #open(): Promise<Session> {
    try {
      const session = await this.#options.open();
      this.#sessions.push(session);
      return session;
    } finally {
      this.#opening = undefined;
    }
  }
}

/** Carries a program out on one connection, asking for one answer after the other. */
export async function runProgram<T>(session: Pick<Session, "send">, program: Program<T>): Promise<T> {
  let step = program.next();
  while (step.done !== true) {
    const asked: Statement = step.value;
    let answer;
    try {
      [answer] = await session.send([asked]);
    } catch (error) {
      step = program.throw(error);
      continue;
    }
    step = program.next(answer as NonNullable<typeof answer>);
  }
  return step.value;
}
