-- breaking: no

-- Keys (as hashes) whose first error of a period was counted, for all doors of a route. `period`: hours of the doors' clocks.
CREATE TABLE first_errors (
  route  text COLLATE "C" NOT NULL,
  period bigint NOT NULL,
  hash   bigint NOT NULL,
  PRIMARY KEY (route, period, hash)
);
CREATE INDEX first_errors_by_period ON first_errors (period);
