/** The same walk on openworkflow's SQLite backend: steps that do nothing, one after another, in one workflow. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** It refuses a workflow of more than a thousand. */
export const peerSteps = 1_000;

interface Peer {
  readonly OpenWorkflow: new (options: { readonly backend: unknown }) => {
    defineWorkflow(
      spec: { readonly name: string },
      body: (context: { readonly step: Steps }) => Promise<void>,
    ): { run(input?: unknown): Promise<{ result(): Promise<unknown> }> };
    newWorker(options: { readonly concurrency: number }): { start(): Promise<void>; stop(): Promise<void> };
  };
}

interface Steps {
  run(spec: { readonly name: string }, work: () => void): Promise<unknown>;
}

interface Backend {
  readonly BackendSqlite: { connect(path: string): { stop(): Promise<void> } };
}

/** Milliseconds a step, from the first step's start to the last one's end. @throws when it is not installed */
export async function openworkflowStep(dir: string): Promise<number> {
  const { OpenWorkflow } = await load<Peer>("openworkflow");
  const { BackendSqlite } = await load<Backend>("openworkflow/sqlite");
  const backend = BackendSqlite.connect(join(dir, "openworkflow.db"));
  const ow = new OpenWorkflow({ backend });
  let [began, ended] = [0, 0];
  const walk = ow.defineWorkflow({ name: "walk" }, async ({ step }) => {
    began = performance.now();
    for (let index = 0; index < peerSteps; index++) await step.run({ name: `s${index}` }, () => {});
    ended = performance.now();
  });
  const worker = ow.newWorker({ concurrency: 1 });
  await worker.start();
  try {
    await (await walk.run()).result();
  } finally {
    await worker.stop();
    await backend.stop();
  }
  return (ended - began) / peerSteps;
}

async function load<T>(name: string): Promise<T> {
  try {
    const found = createRequire(import.meta.url).resolve(name);
    return (await import(pathToFileURL(found).href)) as T;
  } catch (cause) {
    throw new Error(`${name} is not installed: run  npm ci --prefix bench`, { cause });
  }
}
