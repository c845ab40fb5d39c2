import { loadDriver, type PgDriver, type PgOptions } from "../../src/store/postgres/driver.ts";
import type { Trip } from "../../src/store/postgres/trip.ts";
import type { Statement } from "../../src/store/sql/program.ts";

type Asked = string | { readonly text: string } | Trip;

/** A driver that tells of the statements that are sent, but of scripts. */
export async function tellingDriver(tell: (statement: Statement) => void): Promise<PgDriver> {
  const { Client, Query } = await loadDriver();
  function watch(options: PgOptions): InstanceType<typeof Client> {
    const client = new Client(options);
    const query = client.query.bind(client) as (...parts: readonly unknown[]) => never;
    return Object.assign(client, {
      query: (first: Asked, ...others: readonly unknown[]) => {
        if (typeof first === "object" && "statements" in first) first.statements.forEach(tell);
        return query(first, ...others);
      },
    });
  }
  return { Client: watch as unknown as PgDriver["Client"], ...(Query === undefined ? {} : { Query }) };
}

/** A driver that notes the texts of the statements that are sent. */
export const watchedDriver = (sent: string[]): Promise<PgDriver> =>
  tellingDriver(({ sql }) => sent.push(sql));
