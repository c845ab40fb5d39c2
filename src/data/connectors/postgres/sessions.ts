import { CutoverError } from "../../../core/index.ts";
import type { PostgresAddress } from "./address.ts";
import type { PgDriver } from "./driver.ts";
import { Session } from "./session.ts";

/** What a connection is for. Those of `use` are kept; others are opened for one purpose and ended after it. */
export type Role = "control" | "point" | "copy" | Writing;
/** `write 2`: rows that are written while those before are not committed yet. */
export type Writing = "write" | "write 2";
type OneTime = "scan" | "fence" | "log";

const connectMs = 15_000;

/** The connections of one store, opened when they are needed, again when they were lost. */
export class Sessions {
  readonly #driver: PgDriver;
  readonly #address: PostgresAddress;
  readonly #kept = new Map<Role, Promise<Session>>();
  readonly #lines = new Map<Role, Promise<unknown>>();
  readonly #others = new Set<Session>();
  #closed = false;

  constructor(driver: PgDriver, address: PostgresAddress) {
    this.#driver = driver;
    this.#address = address;
  }

  async get(role: Role): Promise<Session> {
    const before = this.#kept.get(role);
    const session = await before?.catch(() => undefined);
    if (session !== undefined && session.lost === undefined) return session;
    // Another caller may have opened it meanwhile.
    if (before !== this.#kept.get(role)) return this.get(role);
    const opened = this.#connect(role);
    this.#kept.set(role, opened);
    return opened;
  }

  /** One caller at a time: a transaction is nobody else's. */
  async use<T>(role: Role, body: (session: Session) => Promise<T>): Promise<T> {
    const last = this.#lines.get(role) ?? Promise.resolve();
    const run = last.then(async () => body(await this.get(role)));
    this.#lines.set(
      role,
      run.catch(() => {}),
    );
    return await run;
  }

  /** A connection that its caller ends. */
  async open(purpose: OneTime): Promise<Session> {
    const session = await this.#connect(purpose);
    for (const other of this.#others) if (other.lost !== undefined) this.#others.delete(other);
    this.#others.add(session);
    return session;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const session of this.#others) session.destroy("the store was closed");
    const kept = await Promise.allSettled(this.#kept.values());
    for (const outcome of kept) if (outcome.status === "fulfilled") await outcome.value.end();
  }

  async #connect(role: Role | OneTime): Promise<Session> {
    if (this.#closed)
      throw new CutoverError("CUTOVER_DATA_CLOSED", {
        message: "expected an open store, found one that was closed",
        place: this.#address.name,
      });
    const session = await Session.open(this.#driver, {
      url: this.#address.url,
      name: `cutover ${role}`,
      connectMs,
      ...(role === "log" ? { replication: true } : {}),
    });
    if (role !== "write" && role !== "write 2") return session;
    // A move's writes go through a fence. All is found by primary key; a table that just grew has no statistics that would say so.
    await session.query(
      "SET cutover.epoch = 'move'; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off",
    );
    // What triggers did on the old side is moved with its rows; foreign keys hold again when all are there.
    await session.query("SET session_replication_role = 'replica'").catch(() => {
      // Needs a superuser or GRANT SET ON PARAMETER; without it rows are written in their order and triggers fire.
    });
    return session;
  }
}
