import { expect, test } from "vitest";
import { answeredByNew, stages } from "./index.ts";

test("the part that the new side answers follows from the stage, and from the share at live alone", () => {
  expect(stages.map((stage) => [stage, answeredByNew({ stage, share: 25 })])).toEqual([
    ["off", 0],
    ["dualwrite", 0],
    ["shadow", 0],
    ["live", 25],
    ["rampdown", 100],
    ["complete", 100],
  ]);
});
