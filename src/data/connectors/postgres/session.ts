import type { PgClient, PgConnection, PgDriver, PgResult, PgStream, PgSubmittable } from "./driver.ts";
import { copyDoneMessage, copyFailMessage, takeMessages } from "./raw-messages.ts";

export interface SessionOptions {
  readonly url: string;
  /** Shown in `pg_stat_activity`. */
  readonly name: string;
  readonly connectMs: number;
  readonly replication?: boolean;
}

/**
 * Texts that do not depend on the server's settings; rows that a policy hides are an error instead of missing; what is
 * written is on disk, but waits for no standby that may never answer.
 */
const setUp = `SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET extra_float_digits = 1;
  SET bytea_output = 'hex'; SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; SET search_path = pg_catalog;
  SET xmloption = 'content'; SET row_security = off; SET statement_timeout = 0; SET lock_timeout = 0;
  SET idle_in_transaction_session_timeout = 0; SET default_transaction_isolation = 'read committed';
  SET default_transaction_read_only = off; SET synchronous_commit = local; SET jit = off`;

/** One connection. Calls wait for the ones before. */
export class Session {
  readonly #client: PgClient;
  #last: Promise<unknown> = Promise.resolve();
  #lost: Error | undefined;

  private constructor(client: PgClient) {
    this.#client = client;
  }

  /** @throws what the driver throws */
  static async open({ Client }: PgDriver, options: SessionOptions): Promise<Session> {
    const client = new Client({
      connectionString: options.url,
      application_name: options.name,
      connectionTimeoutMillis: options.connectMs,
      keepAlive: true,
      types: { getTypeParser: () => (text) => text },
      ...(options.replication === true ? { replication: "database" as const } : {}),
    });
    const session = new Session(client);
    client.on("error", (error) => (session.#lost ??= error));
    await client.connect();
    try {
      await session.query(setUp);
    } catch (error) {
      await session.end();
      throw error;
    }
    return session;
  }

  /** Set once the connection is of no use any more. */
  get lost(): Error | undefined {
    return this.#lost;
  }

  get connection(): PgConnection {
    return this.#client.connection;
  }

  /** Of several statements in one text the rows of the last that has some. */
  query(text: string, values?: readonly unknown[]): Promise<PgResult["rows"]> {
    return this.#turn(async () => {
      const result = await (values === undefined
        ? this.#client.query(text)
        : this.#client.query(text, values));
      if (!Array.isArray(result)) return (result as PgResult).rows;
      return (result as readonly PgResult[]).findLast(({ rows }) => rows.length > 0)?.rows ?? [];
    });
  }

  /**
   * Runs `COPY … TO STDOUT` or `START_REPLICATION`; resolves at its end.
   * @param onData gets the bytes of each message, good until it returns
   */
  receive(text: string, onData: (data: Buffer, at: number, end: number) => void): Promise<void> {
    return this.#turn(
      () =>
        new Promise<void>((resolve, reject) => {
          this.#submit(
            (connection) => {
              let failed = false;
              takeMessages(connection.stream, (data, at, end) => {
                // What came with the message that could not be read must not be taken for read.
                if (failed) return;
                try {
                  onData(data, at, end);
                } catch (error) {
                  failed = true;
                  reject(error as Error);
                  this.destroy("its rows could not be read");
                }
              });
              connection.query(text);
            },
            () => {},
            resolve,
            reject,
          );
        }),
    );
  }

  /** Runs `COPY … FROM STDIN`, giving it CopyData messages. What making one throws takes the COPY back and is thrown. */
  send(text: string, messages: Iterable<Uint8Array>): Promise<void> {
    return this.#turn(async () => {
      let thrown: { readonly error: unknown } | undefined;
      const done = new Promise<void>((resolve, reject) => {
        this.#submit(
          (connection) => connection.query(text),
          ({ stream }) => {
            writeMessages(stream, messages).catch((error: unknown) => {
              thrown = { error };
              stream.write(copyFailMessage);
            });
          },
          resolve,
          reject,
        );
      });
      await done.catch((error: unknown) => {
        throw thrown === undefined ? error : thrown.error;
      });
    });
  }

  pause(): void {
    this.connection.stream.pause();
  }

  resume(): void {
    this.connection.stream.resume();
  }

  /** Ends the connection at once; what is under way fails. */
  destroy(reason: string): void {
    this.#lost ??= new Error(`the connection was ended: ${reason}`);
    this.connection.stream.destroy();
  }

  /** Ends it politely, behind what is under way. */
  async end(): Promise<void> {
    await this.#last.catch(() => {});
    if (this.#lost !== undefined) return this.destroy("it was lost");
    this.#lost = new Error("the connection was ended");
    await this.#client.end().catch(() => {});
  }

  #submit(
    begin: (connection: PgConnection) => void,
    onCopyIn: (connection: PgConnection) => void,
    resolve: () => void,
    reject: (error: Error) => void,
  ): void {
    const submittable: PgSubmittable = {
      submit: begin,
      handleError: (error) => reject(this.#lost ?? error),
      handleReadyForQuery: resolve,
      handleCommandComplete: () => {},
      handleCopyInResponse: onCopyIn,
    };
    this.#client.query(submittable);
  }

  /** One call at a time; an error is for its caller alone. */
  #turn<T>(body: () => Promise<T>): Promise<T> {
    const run = this.#last.then(async () => {
      if (this.#lost !== undefined) throw this.#lost;
      return await body();
    });
    this.#last = run.catch(() => {});
    return run;
  }
}

/** Bytes that wait to be sent, so that a server which asks for more need not wait for this process. */
const ahead = 1_048_576;

/** As fast as the server takes them, and no faster: they are made one by one. */
async function writeMessages(stream: PgStream, messages: Iterable<Uint8Array>): Promise<void> {
  let waiting = 0;
  for (const message of messages) {
    if (stream.destroyed) return;
    waiting = stream.write(message) ? 0 : waiting + message.length;
    if (waiting < ahead) continue;
    waiting = 0;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        stream.off("drain", go);
        stream.off("close", go);
        resolve();
      };
      stream.once("drain", go);
      stream.once("close", go);
    });
  }
  stream.write(copyDoneMessage);
}
