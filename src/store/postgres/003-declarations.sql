-- breaking: no
-- What applications declare about their routes, so that a run carried elsewhere knows it. Rows of the same content are
-- one; whoever speaks for the doors writes them again while they live. Not part of the chain, never rebuilt.
-- The content may be longer than what an index takes, so its digest is the key.
CREATE TABLE declarations (
  route   text COLLATE "C" NOT NULL,
  digest  text COLLATE "C" NOT NULL,
  content text COLLATE "C" NOT NULL,
  door    text COLLATE "C" NOT NULL,
  seen_at bigint NOT NULL,
  PRIMARY KEY (route, digest)
) WITH (fillfactor = 50);
