/** No queue: one prepared INSERT and its commit for each job. What this machine, disk and driver give at best. */
import { connectClient, type TestClient } from "../../../test/postgres/client.ts";
import type { Payload, Side, SideSpec } from "../side.ts";

const connections = 33;
const text = "INSERT INTO jobs (payload) SELECT * FROM unnest($1::jsonb[])";

export async function openSide(spec: SideSpec): Promise<Side> {
  const clients = await Promise.all(Array.from({ length: connections }, () => connectClient(spec.where)));
  const [first] = clients as [TestClient, ...TestClient[]];
  await first.query("CREATE TABLE jobs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload jsonb)");
  const free = [...clients];
  let answered: ((payload: Payload) => void) | undefined;
  const insert = async (payloads: readonly Payload[]): Promise<void> => {
    const client = free.pop();
    if (client === undefined) throw new Error(`expected at most ${connections} callers`);
    try {
      const values = [payloads.map((payload) => JSON.stringify(payload))];
      await client.query({ name: "insert", text, values } as unknown as string);
    } finally {
      free.push(client);
    }
  };
  const none = (): Promise<never> => Promise.reject(new Error("bare inserts are not done by anybody"));
  return {
    submit: async (payload) => {
      await insert([payload]);
      answered?.(payload);
    },
    submitMany: insert,
    // Nobody does anything with it: what a job takes until it is stored and acknowledged.
    work: async (handler) => {
      answered = handler;
    },
    rest: none,
    isDone: none,
    close: async () => {
      await Promise.all(clients.map((client) => client.end()));
    },
  };
}
