import { CutoverError } from "../../core/index.ts";
import { refuseOptions } from "../capture-options.ts";
import type { SwitchFollower } from "../cutover/follow.ts";
import { fencedAt } from "../cutover/refusal.ts";
import type { Standing } from "../cutover/switch.ts";
import { beginReading, beginUnder } from "./epoch-session.ts";

/** What is used of a pool of the package `pg`; a `pg.Pool` is one. */
export interface PostgresPool<Client extends PostgresPoolClient = PostgresPoolClient> {
  connect(): Promise<Client>;
}

export interface PostgresPoolClient {
  query(text: string): Promise<unknown>;
  /** `true`: the connection is of no use any more. */
  release(destroy?: boolean): void;
}

export interface PostgresSidesOptions<Client extends PostgresPoolClient> {
  /** What `followSwitch` gives. The caller closes it, and ends the pools. */
  readonly follower: Pick<SwitchFollower, "run" | "read">;
  readonly old: PostgresPool<Client>;
  readonly new: PostgresPool<Client>;
  /** Isolation of the transactions. Default: what the server or the role says. */
  readonly isolation?: Isolation;
}

export type Isolation = "read committed" | "repeatable read" | "serializable";
const isolations: readonly string[] = ["read committed", "repeatable read", "serializable"];

/** Two databases of which one is in charge, for an application that speaks SQL. See `postgresSides`. */
export interface PostgresSides<Client extends PostgresPoolClient> {
  /**
   * Runs `body` as one transaction of the side in charge, under its epoch. When the side was fenced before it committed, all of it
   * is rolled back, and run again, whole, at the side that is in charge then. So what the body does besides SQL may happen more
   * than once. Other errors roll back and are thrown as they are; one whose connection broke at the commit may have
   * committed, as always.
   * @param body gets the client of the transaction, which it must not release, and where it is
   * @throws what the follower throws when it has waited for too long
   */
  transaction<T>(body: (client: Client, at: Standing) => Promise<T>): Promise<T>;
  /**
   * Runs `body` as one read-only transaction of the side in charge, at once, also in the pause of a cutover. A process that did
   * not hear of a turn yet reads the other side for a moment; with `fresh` the switch is asked first.
   */
  read<T>(
    body: (client: Client, at: Standing) => Promise<T>,
    options?: { readonly fresh?: boolean },
  ): Promise<T>;
}

/**
 * Transactions of an application that follows a switch between two PostgreSQL databases.
 *
 * ```ts
 * const follower = await followSwitch(fileSwitch("/var/lib/shop/switch"));
 * const sides = postgresSides({ follower, old: oldPool, new: newPool });
 * await sides.transaction((client, { side }) => client.query(side === "old" ? insertOld : insertNew, [id]));
 * ```
 */
export function postgresSides<Client extends PostgresPoolClient>(
  options: PostgresSidesOptions<Client>,
): PostgresSides<Client> {
  const { follower, old, new: young, isolation, ...unknown } = options;
  refuseOptions("postgresSides", unknown);
  if (isolation !== undefined && !isolations.includes(isolation))
    throw new CutoverError("CUTOVER_DATA_OPTIONS", {
      message: `isolation: expected one of ${isolations.join(", ")}, found ${String(isolation)}`,
      place: "isolation",
    });
  const pools = { old, new: young };
  return {
    transaction: (body) =>
      follower.run(async ({ side, epoch }) => {
        const client = await pools[side].connect();
        return await inTransaction(client, { side, epoch }, beginUnder(epoch, isolation), body);
      }),
    read: (body, readOptions = {}) =>
      follower.read(async ({ side, epoch }) => {
        const client = await pools[side].connect();
        return await inTransaction(client, { side, epoch }, beginReading(isolation), body);
      }, readOptions),
  };
}

async function inTransaction<T, Client extends PostgresPoolClient>(
  client: Client,
  at: Standing,
  begin: string,
  body: (client: Client, at: Standing) => Promise<T>,
): Promise<T> {
  let broken = false;
  const refused: { error?: unknown } = {};
  try {
    await client.query(begin);
    const result = await body(watched(client, refused), at);
    // A body that took the refusal for a failure of its own and went on must not commit the rest.
    if (refused.error !== undefined) throw refused.error;
    const { command } = (await client.query("COMMIT")) as { readonly command?: string };
    if (command === "ROLLBACK") throw rolledBack();
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => (broken = true));
    throw refused.error ?? error;
  } finally {
    client.release(broken);
  }
}

/** The client as it is, but a statement that the fence refused is remembered. */
function watched<Client extends PostgresPoolClient>(client: Client, refused: { error?: unknown }): Client {
  return new Proxy(client, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      if (name !== "query") return member.bind(target) as unknown;
      return (...args: unknown[]): unknown => {
        const answer: unknown = Reflect.apply(member, target, args);
        if (answer instanceof Promise)
          answer.catch((error: unknown) => {
            if (fencedAt(error) !== false) refused.error ??= error;
          });
        return answer;
      };
    },
  });
}

/** PostgreSQL answers a COMMIT of a transaction in which a statement failed by a rollback, without an error. */
function rolledBack(): CutoverError {
  return new CutoverError("CUTOVER_DATA_REFUSED", {
    message:
      "expected the transaction to commit, found that PostgreSQL rolled it back: a statement in it had failed",
    remedy: "let the error of a statement end the body, or take it back to a savepoint",
  });
}
