import type { Order, Shop, Task } from "./shop.ts";

/** The service on the new schema. */
export const newShop: Shop = {
  async place(client, { request, customer, note, total, lines }) {
    const made = await client.query(
      `INSERT INTO sales.orders (request, customer_name, status, total, note) VALUES ($1, $2, 'placed', $3, $4)
        ON CONFLICT (request) DO NOTHING RETURNING id`,
      [request, customer, total, note],
    );
    const id = made.rows[0]?.["id"];
    if (id !== undefined)
      await client.query(
        `INSERT INTO sales.items SELECT $1, l.place, l.sku, l.quantity, l.price
          FROM unnest($2::text[], $3::int[], $4::numeric[]) WITH ORDINALITY AS l(sku, quantity, price, place)`,
        [
          id,
          lines.map(({ sku }) => sku),
          lines.map(({ quantity }) => quantity),
          lines.map(({ price }) => price),
        ],
      );
    return (await newShop.find(client, request)) as Order;
  },

  async find(client, request) {
    const { rows } = await client.query(
      `SELECT id::text, request, customer_name AS customer, status::text, total::text FROM sales.orders WHERE request = $1`,
      [request],
    );
    return rows[0] as unknown as Order | undefined;
  },

  async pay(client, { id, total }, receipt) {
    const { rowCount } = await client.query(
      "UPDATE sales.orders SET status = 'packing', updated_at = now() WHERE id = $1 AND status = 'placed'",
      [id],
    );
    if (rowCount !== 1) return;
    await client.query(
      "INSERT INTO sales.payments (order_id, amount, receipt, body) VALUES ($1, $2, $3, $4)",
      [id, total, receipt, JSON.stringify({ by: "card" })],
    );
    await client.query("INSERT INTO sales.tasks (order_id, status) VALUES ($1, 'ready')", [id]);
  },

  async takeTask(client) {
    const { rows } = await client.query(
      `UPDATE sales.tasks SET status = 'running', attempt = attempt + 1, updated_at = now() WHERE id =
        (SELECT id FROM sales.tasks WHERE status = 'ready' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING id::text, order_id::text AS "orderId"`,
    );
    return rows[0] as unknown as Task | undefined;
  },

  async runningTasks(client) {
    const { rows } = await client.query(
      `SELECT id::text, order_id::text AS "orderId" FROM sales.tasks WHERE status = 'running'`,
    );
    return rows as unknown as readonly Task[];
  },

  async endTask(client, { id, orderId }, document) {
    const { rowCount } = await client.query(
      "UPDATE sales.tasks SET status = $2, updated_at = now() WHERE id = $1 AND status = 'running'",
      [id, document === "failed" ? "failed" : "done"],
    );
    if (rowCount !== 1) return false;
    if (document === "failed") return true;
    await client.query(
      "INSERT INTO sales.events (order_id, kind, attachment, body) VALUES ($1, 'packed', $2, $3)",
      [orderId, document, JSON.stringify({ task: id })],
    );
    await client.query("UPDATE sales.orders SET status = 'shipped', updated_at = now() WHERE id = $1", [
      orderId,
    ]);
    return true;
  },
};
