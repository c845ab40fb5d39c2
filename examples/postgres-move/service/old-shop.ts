import { oldState, statusOf } from "../crossing/status.ts";
import type { Client } from "./pool.ts";
import type { NewOrder, Order, Shop, Task } from "./shop.ts";

/** The service on the old schema. */
export const oldShop: Shop = {
  async place(client, order) {
    const made = await client.query(
      `INSERT INTO shop.orders (request, customer, state, total, note) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (request) DO NOTHING RETURNING id`,
      [order.request, order.customer, oldState("placed"), order.total, order.note],
    );
    const [row] = made.rows as unknown as readonly { readonly id: string }[];
    if (row !== undefined) await addLines(client, row.id, order);
    return (await oldShop.find(client, order.request)) as Order;
  },

  async find(client, request) {
    const { rows } = await client.query(
      "SELECT id::text, request, customer, state, total::text FROM shop.orders WHERE request = $1",
      [request],
    );
    const [row] = rows as unknown as readonly (Omit<Order, "status"> & { readonly state: string })[];
    if (row === undefined) return undefined;
    const { state, ...order } = row;
    return { ...order, status: statusOf(state) };
  },

  async pay(client, { id, total }, receipt) {
    const { rowCount } = await client.query(
      "UPDATE shop.orders SET state = $2, updated = now() WHERE id = $1 AND state = $3",
      [id, oldState("packing"), oldState("placed")],
    );
    if (rowCount !== 1) return;
    await client.query(
      "INSERT INTO shop.events (order_id, kind, amount, attachment, body) VALUES ($1, 'payment', $2, $3, $4)",
      [id, total, receipt, JSON.stringify({ by: "card" })],
    );
    await client.query("INSERT INTO shop.tasks (order_id, state) VALUES ($1, 'queued')", [id]);
  },

  async takeTask(client) {
    const { rows } = await client.query(
      `UPDATE shop.tasks SET state = 'running', attempt = attempt + 1, updated = now() WHERE id =
        (SELECT id FROM shop.tasks WHERE state = 'queued' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING id::text, order_id::text AS "orderId"`,
    );
    return rows[0] as unknown as Task | undefined;
  },

  async runningTasks(client) {
    const { rows } = await client.query(
      `SELECT id::text, order_id::text AS "orderId" FROM shop.tasks WHERE state = 'running'`,
    );
    return rows as unknown as readonly Task[];
  },

  async endTask(client, { id, orderId }, document) {
    const { rowCount } = await client.query(
      "UPDATE shop.tasks SET state = $2, updated = now() WHERE id = $1 AND state = 'running'",
      [id, document === "failed" ? "failed" : "ok"],
    );
    if (rowCount !== 1) return false;
    if (document === "failed") return true;
    await client.query(
      "INSERT INTO shop.events (order_id, kind, attachment, body) VALUES ($1, 'packed', $2, $3)",
      [orderId, document, JSON.stringify({ task: id })],
    );
    await client.query("UPDATE shop.orders SET state = $2, updated = now() WHERE id = $1", [
      orderId,
      oldState("shipped"),
    ]);
    return true;
  },
};

async function addLines(client: Client, id: string, { lines }: NewOrder): Promise<void> {
  await client.query(
    `INSERT INTO shop.items SELECT $1, l.place, l.sku, l.quantity, l.price
      FROM unnest($2::text[], $3::int[], $4::numeric[]) WITH ORDINALITY AS l(sku, quantity, price, place)`,
    [id, lines.map(({ sku }) => sku), lines.map(({ quantity }) => quantity), lines.map(({ price }) => price)],
  );
}
