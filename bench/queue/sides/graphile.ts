/** graphile-worker, set up as https://worker.graphile.org/docs/performance shows it. */
import { loadPeer } from "../load-peer.ts";
import type { Payload, Side, SideSpec } from "../side.ts";
import { connectClient } from "../../../test/postgres/client.ts";

interface Graphile {
  readonly Logger: new (factory: () => () => void) => object;
  makeWorkerUtils(options: object): Promise<{
    migrate(): Promise<void>;
    addJob(task: string, payload: Payload): Promise<unknown>;
    addJobs(specs: readonly { readonly identifier: string; readonly payload: Payload }[]): Promise<unknown>;
    release(): Promise<void>;
  }>;
  run(options: object): Promise<{ stop(): Promise<void> }>;
}

const task = "noop";

export async function openSide(spec: SideSpec): Promise<Side> {
  const graphile = await loadPeer<Graphile>("graphile-worker");
  const logger = new graphile.Logger(() => () => {});
  const preset = (worker: object): object => ({
    preset: { worker: { connectionString: spec.where, logger, ...worker } },
  });
  const utils = await graphile.makeWorkerUtils(preset({ maxPoolSize: 33 }));
  await utils.migrate();
  const client = await connectClient(spec.where);
  let runner: { stop(): Promise<void> } | undefined;
  const rest = async (): Promise<void> => {
    await runner?.stop();
    runner = undefined;
  };
  return {
    submit: (payload) => utils.addJob(task, payload),
    submitMany: (payloads) => utils.addJobs(payloads.map((payload) => ({ identifier: task, payload }))),
    work: async (handler) => {
      runner = await graphile.run({
        ...preset(spec.settings),
        noHandleSignals: true,
        taskList: { [task]: (payload: Payload): void => handler(payload) },
      });
    },
    rest,
    isDone: async () => {
      const { rows } = await client.query(
        "SELECT EXISTS (SELECT FROM graphile_worker._private_jobs) AS left",
      );
      return rows[0]?.["left"] === false;
    },
    close: async () => {
      await rest();
      await utils.release();
      await client.end();
    },
  };
}
