-- What the old shop holds before the move; $1 orders. Statuses, texts and times as old data has them.
INSERT INTO shop.orders (request, customer, state, total, note, created, updated)
SELECT 'seed-' || i,
  (ARRAY['Ada', 'Grete', 'Zoë', 'O''Neill', '李雷', ''])[1 + i % 6],
  (ARRAY['done', 'done', 'sent', 'returned', 'cancelled', 'paid', 'new'])[1 + i % 7],
  (i % 900) + 0.99,
  CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN E'tab\tand line\nand \\ and ☂' ELSE 'note ' || i END,
  '2019-03-31 01:30:00.123456+00'::timestamptz + i * interval '37 minutes',
  '2019-03-31 01:30:00.123456+00'::timestamptz + i * interval '38 minutes'
FROM generate_series(1, $1::int) i;
INSERT INTO shop.items
SELECT o.id, line, 'sku-' || (o.id * 7 + line) % 311, 1 + (o.id + line) % 4, ((o.id + line) % 97) + 0.5
FROM shop.orders o, generate_series(1, 1 + (o.id % 3)::int) line;
INSERT INTO shop.events (order_id, kind, amount, attachment, body, at)
SELECT o.id, kind, CASE kind WHEN 'payment' THEN o.total END,
  CASE WHEN o.id % 4 = 0 THEN decode(repeat(lpad(to_hex(o.id % 256), 2, '0'), 40) || '00ff', 'hex') END,
  jsonb_build_object('by', o.customer, 'nano', 1700000000000000000 + o.id, 'ok', o.id % 2 = 0),
  o.created + interval '1 minute'
FROM shop.orders o, (VALUES ('note'), ('payment')) k (kind)
WHERE kind = 'note' OR o.state <> 'new';
-- An amount where none belongs: somebody's mistake of years ago. The new shop has no place for it.
INSERT INTO shop.events (order_id, kind, amount) VALUES (1, 'note', 0.01), (2, 'note', 'NaN');
INSERT INTO shop.tasks (order_id, state, attempt, updated)
SELECT id, CASE WHEN id % 29 = 0 THEN 'failed' WHEN state IN ('sent', 'done') THEN 'ok' ELSE 'queued' END, 1, updated
FROM shop.orders WHERE state IN ('paid', 'sent', 'done');
UPDATE shop.orders o SET state = 'packing' FROM shop.tasks t WHERE t.order_id = o.id AND t.state = 'queued';
INSERT INTO shop.visits (path) SELECT '/orders/' || i FROM generate_series(1, 200) i;
