/** pg-boss with batches and burst, as its documentation of `work()` advises for throughput; with NOTIFY or without. */
import { connectClient } from "../../../test/postgres/client.ts";
import { loadPeer } from "../load-peer.ts";
import type { Payload, Side, SideSpec } from "../side.ts";

interface Boss {
  on(event: "error", listener: (error: Error) => void): unknown;
  start(): Promise<unknown>;
  createQueue(name: string, options: object): Promise<void>;
  send(name: string, data: Payload): Promise<unknown>;
  insert(name: string, jobs: readonly { readonly data: Payload }[]): Promise<unknown>;
  work(
    name: string,
    options: object,
    handler: (jobs: readonly { readonly data: Payload }[]) => Promise<void>,
  ): Promise<string>;
  offWork(name: string): Promise<void>;
  stop(options: object): Promise<void>;
}

const queue = "noop";

export async function openSide(spec: SideSpec): Promise<Side> {
  const { PgBoss } = await loadPeer<{ PgBoss: new (options: object) => Boss }>("pg-boss");
  const { notify, work } = spec.settings as { readonly notify: boolean; readonly work: object };
  const boss = new PgBoss({ connectionString: spec.where, max: 33, useListenNotify: notify });
  boss.on("error", (error) => console.error(`pg-boss: ${error.message}`));
  await boss.start();
  await boss.createQueue(queue, { notify });
  const client = await connectClient(spec.where);
  return {
    submit: (payload) => boss.send(queue, payload),
    submitMany: (payloads) =>
      boss.insert(
        queue,
        payloads.map((data) => ({ data })),
      ),
    work: async (handler) => {
      await boss.work(queue, work, async (jobs) => {
        for (const job of jobs) handler(job.data);
      });
    },
    rest: () => boss.offWork(queue),
    isDone: async () => {
      const { rows } = await client.query(
        "SELECT EXISTS (SELECT FROM pgboss.job WHERE name = $1 AND state < 'completed') AS left",
        [queue],
      );
      return rows[0]?.["left"] === false;
    },
    close: async () => {
      await boss.stop({ graceful: false });
      await client.end();
    },
  };
}
