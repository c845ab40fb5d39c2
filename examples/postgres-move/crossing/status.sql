-- The same mapping, written down once more by those who know the database. It is held against status.ts before anything moves, and
-- the new shop is counted by it after the cutover. Functions of a session's own: nothing is made in the old shop.
CREATE FUNCTION pg_temp.new_status(state text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE state
    WHEN 'new' THEN 'placed'
    WHEN 'paid' THEN 'paid'
    WHEN 'packing' THEN 'packing'
    WHEN 'sent' THEN 'shipped'
    WHEN 'done' THEN 'delivered'
    WHEN 'returned' THEN 'returned'
    WHEN 'cancelled' THEN 'cancelled'
  END
$$;
-- NULL: refused. '': no image, as it ends in the old shop.
CREATE FUNCTION pg_temp.new_task_status(state text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE state
    WHEN 'queued' THEN 'ready'
    WHEN 'running' THEN ''
    WHEN 'ok' THEN 'done'
    WHEN 'failed' THEN 'failed'
  END
$$;
