-- breaking: no
-- What applications declare about their routes, so that a run carried elsewhere knows it. Rows of the same content are
-- one; whoever speaks for the doors writes them again while they live. Not part of the chain, never rebuilt.
CREATE TABLE declarations (
  route   TEXT NOT NULL,
  digest  TEXT NOT NULL,
  content TEXT NOT NULL,
  door    TEXT NOT NULL,
  seen_at INTEGER NOT NULL,
  PRIMARY KEY (route, digest)
);
