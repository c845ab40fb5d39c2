-- breaking: yes
-- The head's `id` is the newest breaking schema from here on: a program of before that runs on finds no head any more, and
-- writes nothing.
ALTER TABLE chain_head DROP CONSTRAINT chain_head_id_check;
