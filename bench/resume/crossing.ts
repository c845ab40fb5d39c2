/** Ten thousand steps that do nothing, one after another, then one that says when it started and waits to be killed. */
import { appendFileSync } from "node:fs";
import { defineMigration, type Migration, phase, step } from "cutover";

const finished: number = Number(process.env["BENCH_STEPS"] ?? 10_000);

const nothing = (index: number): ReturnType<typeof step> =>
  step(`s${index}`, { run: () => {}, rollback: () => {} });

const migration: Migration = defineMigration({
  name: "ten-thousand",
  phases: [
    phase("walk", {
      steps: [
        ...Array.from({ length: finished }, (_, index) => nothing(index)),
        step("next", {
          run: async ({ signal }) => {
            appendFileSync("started.ndjson", `${JSON.stringify({ pid: process.pid, at: Date.now() })}\n`);
            await new Promise((_, reject) => signal.addEventListener("abort", reject));
          },
          rollback: () => {},
        }),
      ],
    }),
  ],
});

export default migration;
