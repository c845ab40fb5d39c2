import { expect, test } from "vitest";
import { dataError } from "./postgres-error.ts";

test.each([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_HAS_EXPIRED",
  "ERR_TLS_CERT_ALTNAME_INVALID",
])("a certificate that is not trusted (%s) is told as one, with what to write into the address", (code) => {
  const error = dataError(Object.assign(new Error("of the driver"), { code }), "postgres:db");
  expect(error).toMatchObject({
    code: "CUTOVER_DATA_UNAVAILABLE",
    message: "expected a certificate of the server that this machine trusts, found: of the driver",
  });
  expect(error.remedy).toContain("sslrootcert=FILE");
});
