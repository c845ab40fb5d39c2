import { globSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { queueFaultPoints } from "./fault-points.ts";

test("the list names exactly the fault points that stand in the sources", () => {
  const folder = dirname(fileURLToPath(import.meta.url));
  const placed = globSync(`${folder}/**/*.ts`)
    .filter((file) => !file.endsWith(".test.ts"))
    .flatMap((file) =>
      [...readFileSync(file, "utf8").matchAll(/faultPoint\("([^"]+)"\)/g)].map((found) => found[1]),
    );
  expect([...placed].sort()).toEqual([...queueFaultPoints].sort());
});
