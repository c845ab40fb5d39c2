-- breaking: no
-- What all slots of a worker have together; NULL where a program of before told of it.
ALTER TABLE queue_workers ADD COLUMN memory INTEGER;
