import { describe, expect, test } from "vitest";
import { postgresAddressProblem } from "./postgres-address.ts";

const problemOf = (address: string): string | undefined => {
  const problem = postgresAddressProblem(address, ["schema"]);
  return problem && `${problem.message}; ${problem.remedy}`;
};

describe("an address of PostgreSQL", () => {
  test.each([
    "postgres://app@host/db",
    "postgresql://app:a,b@host:5432/db?schema=x&sslmode=require",
    "postgres:///db?host=/var/run/postgresql&user=app",
    "postgres://%2Fvar%2Frun%2Fpostgresql/db",
    "postgres://[::1]:5432/db",
    "postgres://host/a,b",
  ])("is taken: %s", (address) => {
    expect(problemOf(address)).toBeUndefined();
  });

  test.each([
    "postgres://app@a:5432,b:5432/db",
    "postgresql://app:s3cret@127.0.0.1,127.0.0.1:5432/db?schema=x",
    "postgres://a,b",
    "postgres:///db?host=a,b",
    "postgres:///db?user=app&host=a%2Cb",
  ])("with several hosts is told to name one: %s", (address) => {
    expect(problemOf(address)).toMatch(/expected one host.*a proxy or a name/);
  });

  test.each([
    "postgresql://app@/db?host=/var/run/postgresql",
    "postgres://app:s3cret@/db",
    "postgres://app@",
  ])("without a host behind the @ is told how a socket is written: %s", (address) => {
    expect(problemOf(address)).toMatch(/host behind the @.*postgres:\/\/\/DATABASE\?host=\/FOLDER&user=USER/);
    expect(problemOf(address)).not.toContain("s3cret");
  });

  test.each(["postgres://app:a,b/c@host/db", "postgres://app:a,b?c@host/db"])(
    "with a bare sign in its password is told to encode it: %s",
    (address) => {
      expect(problemOf(address)).toMatch(/%xx|%2F/);
    },
  );
});
