import { loadDriver, type PgDriver, type PgOptions } from "../../src/store/postgres/driver.ts";

/** A driver that notes the texts of the statements that are sent. */
export async function watchedDriver(sent: string[]): Promise<PgDriver> {
  const { Client } = await loadDriver();
  function watch(options: PgOptions): InstanceType<typeof Client> {
    const client = new Client(options);
    const query = client.query.bind(client) as (...parts: readonly unknown[]) => never;
    return Object.assign(client, {
      query: (first: string | { readonly text: string }, ...others: readonly unknown[]) => {
        sent.push(typeof first === "string" ? first : first.text);
        return query(first, ...others);
      },
    });
  }
  return { Client: watch as unknown as PgDriver["Client"] };
}
