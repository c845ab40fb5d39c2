/** A table as applications have them, filled by the server itself. */
export const columns = "id, customer, state, amount, body, changed_at";

export const makeTable = `CREATE TABLE items (
  id bigint PRIMARY KEY, customer integer NOT NULL, state text, amount numeric(12, 2), body text, changed_at timestamptz NOT NULL)`;

/** The same with a number for the state, as a changed schema has it. */
export const makeMappedTable: string = makeTable.replace("state text", "status integer NOT NULL");

/** About 120 bytes a row. */
export const fillTable = (rows: number): string =>
  `INSERT INTO items SELECT i, i % 5000, (ARRAY['new', 'paid', 'sent', NULL])[1 + i % 4], i / 100.0, md5(i::text) || md5((i + 1)::text),
     timestamptz '2026-01-01 00:00:00+00' + i * interval '1.000001 seconds' FROM generate_series(1, ${rows}) AS i`;
