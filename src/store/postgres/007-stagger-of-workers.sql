-- breaking: no
-- Least time between two starts of a worker, milliseconds; NULL where a program of before told of it.
ALTER TABLE queue_workers ADD COLUMN stagger_ms bigint;
