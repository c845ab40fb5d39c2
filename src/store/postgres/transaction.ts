import { faultPoint } from "../../core/index.ts";
import { ChainDraft, type ChainEnd } from "../chain-draft.ts";
import { packText } from "../packed-text.ts";
import type { CommitMark } from "./commit-mark.ts";
import { project } from "../projection.ts";
import { rowSql } from "../row-sql.ts";
import type { RunEvent, StoredEvent } from "../run-events.ts";
import type { Answer, Program, Statement } from "../sql/program.ts";
import { run } from "../sql/program.ts";
import type { WriteContext } from "../sql/write-context.ts";
import { refuseHeadless } from "./own-schema.ts";
import { isGone } from "./postgres-error.ts";
import { isHead } from "./schema.ts";
import { lotOf } from "./arrays.ts";
import { type JoinedStatement, writtenTogether } from "./joined.ts";
import { type NewColumn, type NewRows, newRows } from "./new-rows.ts";
import { clockNow } from "./server-clock.ts";
import { answersOf, plain, type Session, type Settled } from "./session.ts";

const rowsOf = (sql: string): Statement => ({ sql, values: [], wants: "rows" });

/**
 * Every writing transaction locks the one row that holds the end of the chain. Positions are therefore without gaps and
 * in the order of commits, and what the transaction reads after it nobody else can be changing.
 */
export const lockHead: Statement = rowsOf(`SELECT seq FROM chain_head WHERE ${isHead} FOR UPDATE`);
/**
 * Of a transaction that writes all rows anew, before all else: a statement that waits for the row at the end of the chain
 * goes on with the rows that it saw before. For the table it waits before it sees any.
 */
export const lockChain: Statement = {
  sql: "LOCK TABLE chain_head IN EXCLUSIVE MODE",
  values: [],
  wants: "count",
};
/**
 * The same as `lockHead`, with the time and the transaction's id, which tells later whether it was committed. Beside the row that is
 * locked the time would be that at which the wait for it began: it is asked of the row that was got. What is seen of other
 * tables is older, which is enough to find rows that were added behind the chain's back.
 */
const standing = rowsOf(
  `SELECT seq, encode(hash, 'hex') AS hash, ${clockNow} AS now, pg_current_xact_id()::text AS xact,
     (SELECT max(seq) FROM events) AS last
   FROM (SELECT seq, hash FROM chain_head WHERE ${isHead} FOR UPDATE) AS head`,
);

interface Standing extends ChainEnd {
  readonly now: number;
  readonly xact: string;
  readonly last: number | null;
}

/** The connection went away between COMMIT and its answer. */
export class CommitUnknown extends Error {
  readonly mark: CommitMark;
  override readonly cause: Error;

  constructor(mark: CommitMark, cause: Error) {
    super(cause.message);
    this.mark = mark;
    this.cause = cause;
  }
}

/**
 * One writing transaction: opened together with what it needs to read, then closed together with what it writes, so it
 * takes two round trips however much is in it. Statements nobody waits for are kept back and go out with the next ones.
 */
export class Transaction {
  readonly #session: Session;
  readonly #draft: ChainDraft;
  #xact: string;
  /** Server's time when the lock was held, or the time of the clock the store was given. */
  readonly now: number;
  /** So many events of the draft are written or kept. */
  #told = 0;
  #toldBefore = 0;
  #kept: JoinedStatement[] = [];
  /** Of one that was begun on an expectation: the answers to its beginning. */
  #opened: Promise<readonly Settled[]> | undefined;
  /** How long an answer may take; undefined: as long as any, 0: for ever. */
  #answerMs: number | undefined;
  /** Answers to what was sent ahead. */
  readonly #ahead: Promise<readonly Settled[]>[] = [];

  private constructor(session: Session, start: ChainEnd, xact: string, now: number) {
    this.#session = session;
    this.#draft = new ChainDraft(start);
    this.#xact = xact;
    this.now = now;
  }

  /**
   * Begins, and asks `loads` in the same round trip. `now` replaces the server's time; `first` goes out before the end of
   * the chain is locked.
   */
  static async begin(
    session: Session,
    loads: readonly Statement[],
    given: {
      readonly now?: number;
      readonly learn: (server: number) => void;
      readonly first?: readonly Statement[];
    },
  ): Promise<{ readonly tx: Transaction; readonly loaded: readonly Answer[] }> {
    faultPoint("store.commit.before-begin");
    const opening = [plain("BEGIN"), ...(given.first ?? []), standing];
    const answers = answersOf(await session.settle([...opening, ...loads]));
    const [head] = (answers[opening.length - 1]?.rows ?? []) as unknown as readonly Standing[];
    if (head === undefined) return await refuseHeadless(session);
    const { now, xact, last } = head;
    given.learn(now);
    // When rows were added behind its back, numbering goes on after them but their hash is not adopted: the break stays
    // visible to `verify`.
    const start = { seq: Math.max(head.seq, last ?? 0), hash: head.hash };
    const tx = new Transaction(session, start, xact, given.now ?? now);
    return { tx, loaded: answers.slice(opening.length) };
  }

  /**
   * Begins where the chain is taken to end, and goes on without an answer: the server opens and checks while the calls
   * are already being decided. `asExpected` has to be asked before the commit. `check` has no answer when all is well;
   * `first` goes out before the end of the chain is locked.
   */
  static expect(
    session: Session,
    expected: { start: ChainEnd; now: number },
    { first, check }: { readonly first: readonly Statement[]; readonly check: Statement },
  ): Transaction {
    faultPoint("store.commit.before-begin");
    const tx = new Transaction(session, expected.start, "", expected.now);
    tx.#opened = session.settle([plain("BEGIN"), ...first, standing, check]);
    return tx;
  }

  /** The server's time when the lock was held; undefined when it was not as expected: nothing of it may be committed. */
  async asExpected(): Promise<number | undefined> {
    const [answer, check] = answersOf((await this.#opened) ?? []).slice(-2);
    const head = answer?.rows[0] as unknown as Standing | undefined;
    const { seq, hash } = this.#draft.start;
    if (head === undefined || head.seq !== seq || head.hash !== hash) return undefined;
    if ((head.last ?? 0) > seq || check?.rows.length !== 0) return undefined;
    this.#xact = head.xact;
    return head.now;
  }

  get chain(): ChainDraft {
    return this.#draft;
  }

  /** From here on an answer may take as long as it takes. */
  takeItsTime(): void {
    this.#answerMs = 0;
  }

  /** Goes out with the next statements; one that fails takes the whole transaction with it. */
  keep(statement: JoinedStatement): void {
    this.#kept.push(statement);
  }

  /**
   * Sends what was kept and does not wait for it: the server is at work while the rest is still being decided here.
   * What comes of it is seen with the next answers.
   */
  sendAhead(): void {
    // Without pipelining a statement sent meanwhile would overtake those that still wait for their turn.
    if (this.#kept.length === 0 || !this.#session.pipelined) return;
    this.#ahead.push(this.#session.settle(this.#kept));
    this.#kept = [];
  }

  /** Has the events so far written with what goes out next: they are part of nothing else that is still to come. */
  tellAhead(): void {
    while (this.#told < this.#draft.events.length) this.#tell(lotOf(this.#draft.texts, this.#told));
  }

  #tell(count: number): void {
    const { events, texts } = this.#draft;
    const end = this.#told + count;
    this.keep(writeEvents({ events: events.slice(this.#told, end), texts: texts.slice(this.#told, end) }));
    this.#told = end;
  }

  /** What the server knows this transaction by. */
  get xact(): string {
    return this.#xact;
  }

  /** What a program sees. */
  get context(): WriteContext {
    return { now: this.now, append: (stream, event) => this.#append(stream, event) };
  }

  async ask(statements: readonly Statement[]): Promise<readonly Answer[]> {
    const kept = this.#kept;
    this.#kept = [];
    const settled = await this.#session.settle([...kept, ...statements], this.#answerMs);
    // After one that failed the server refuses all others: the first error is the one that says why.
    answersOf(await this.#answersAhead());
    return answersOf(settled).slice(kept.length);
  }

  /** Carries a program out to its end. */
  async run<T>(program: Program<T>): Promise<T> {
    let step = program.next();
    while (step.done !== true) {
      let answer: Answer | undefined;
      try {
        [answer] = await this.ask([step.value]);
      } catch (error) {
        step = program.throw(error);
        continue;
      }
      step = program.next(answer as Answer);
    }
    return step.value;
  }

  savepoint(): void {
    this.#toldBefore = this.#told;
    this.keep(plain("SAVEPOINT job"));
  }

  release(): void {
    this.keep(plain("RELEASE job"));
  }

  takeBack(): void {
    this.#told = this.#toldBefore;
    this.keep(plain("ROLLBACK TO job"));
    this.keep(plain("RELEASE job"));
  }

  /** True when calls on orders alone have left nothing to write; what a task has asked for is not looked at. */
  get isEmpty(): boolean {
    return this.#kept.length === 0 && this.#ahead.length === 0 && this.#draft.events.length === 0;
  }

  /** Ends it where nothing was written. A commit would wait for the disk, since it has locked the head. */
  async leave(): Promise<void> {
    answersOf(await this.#session.settle([plain("ROLLBACK")]));
  }

  /** Writes events, head and what was kept back, and commits. @throws CommitUnknown */
  async commit(): Promise<void> {
    const { events, texts, end } = this.#draft;
    faultPoint("store.commit.before");
    // Very long ones in statements of their own but for the last.
    for (let lot; (lot = lotOf(texts, this.#told)) < events.length - this.#told;) this.#tell(lot);
    const kept = this.#kept.at(-1);
    // What is written last goes into one statement with the events, when it may be joined with others at all.
    const joins = kept?.parts === undefined ? [] : [kept];
    const ending = [
      ...this.#kept.slice(0, this.#kept.length - joins.length),
      ...writtenTogether([...joins, ...chainStatements(this.#draft, this.#told)]),
      plain("COMMIT"),
    ];
    const last = await this.#session.settle(ending, this.#answerMs);
    const settled = [...(await this.#answersAhead()), ...last];
    faultPoint("store.commit.after");
    const failed = settled.find((one): one is Settled & { readonly ok: false } => !one.ok);
    if (failed === undefined && commandOf(settled.at(-1)) === "COMMIT") return;
    const mark = { xact: this.#xact, end: events.length > 0 ? end : undefined };
    if (failed === undefined) throw new Error("the server took the transaction back");
    throw isGone(failed.error) ? new CommitUnknown(mark, failed.error) : failed.error;
  }

  async #answersAhead(): Promise<readonly Settled[]> {
    return (await Promise.all(this.#ahead.splice(0))).flat();
  }

  *#append(
    stream: string,
    event: RunEvent,
  ): Program<{ readonly event: StoredEvent; readonly fits: boolean }> {
    const stored = this.#draft.append(this.now, stream, event);
    for (const change of project(stored)) {
      const { sql, values, exact } = rowSql(change);
      if ((yield* run(sql, ...values)) !== 1 && exact) return { event: stored, fits: false };
    }
    return { event: stored, fits: true };
  }
}

const commandOf = (settled: Settled | undefined): string => (settled?.ok === true ? settled.command : "");

/** @param told so many of the events were written before */
function chainStatements({ events, texts, end }: ChainDraft, told: number): readonly Statement[] {
  if (events.length === 0) return [];
  const rest = { events: events.slice(told), texts: texts.slice(told) };
  return [
    ...(rest.events.length === 0 ? [] : [writeEvents(rest)]),
    {
      sql: `UPDATE chain_head SET seq = $1, hash = decode($2, 'hex') WHERE ${isHead}`,
      values: [end.seq, end.hash],
      wants: "count",
    },
  ];
}

/** @param within see `newRows` */
export function writeEvents(
  { events, texts }: Pick<ChainDraft, "events" | "texts">,
  within?: string,
): Statement {
  const { columns, sql, values } = newEvents(
    events.map((event, index) => ({ ...event, text: texts[index] ?? "" })),
    within,
  );
  return { sql: `INSERT INTO events (${columns.join(", ")}) ${sql}`, values, wants: "count" };
}

/** Rows of the log as a query, and its columns. @param within see `newRows` */
export function newEvents(
  events: readonly (Omit<StoredEvent, "data" | "previous"> & { readonly text: string })[],
  within?: string,
): NewRows & { readonly columns: readonly string[] } {
  const packed = events.map(({ text }) => packText(text) ?? null);
  const some = packed.some((bytes) => bytes !== null);
  const columns: readonly NewColumn[] = [
    { name: "seq", form: "bigint", cells: events.map(({ seq }) => seq) },
    { name: "at", form: "bigint", cells: events.map(({ at }) => at) },
    { name: "stream", form: "text", cells: events.map(({ stream }) => stream) },
    { name: "type", form: "text", cells: events.map(({ type }) => type) },
    {
      name: "data",
      form: "json",
      cells: events.map(({ text }, index) => (packed[index] === null ? text : null)),
    },
    ...(some ? [{ name: "packed", form: "bytea", cells: packed } as const] : []),
    {
      name: "hash",
      form: "text",
      cells: events.map(({ hash }) => hash),
      as: (cell) => `decode(${cell}, 'hex')`,
    },
  ];
  return { columns: columns.map(({ name }) => name), ...newRows(columns, within) };
}
