import { join } from "node:path";
import { defineConfig, type ViteUserConfig } from "vitest/config";

/** Processes under load, killed and stopped, whose leases and limits run on a real clock: one file at a time. */
const calm: readonly string[] = [
  "examples/**/*.test.ts",
  "test/{chaos,chaos-data,chaos-queue,chaos-switch,data-door,ramp,sources,triggers}/*.test.ts",
  "src/queue/{crash,heartbeat}.test.ts",
];

const config: ViteUserConfig = defineConfig({
  resolve: { conditions: ["cutover-source"] },
  ssr: { resolve: { conditions: ["cutover-source"], externalConditions: ["cutover-source"] } },
  test: {
    pool: "forks",
    setupFiles: ["test/properties/setup.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // For the hundreds of processes that tests start: without it each compiles the same files again, for half of its life.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, "node_modules/.cache/compiled") },
    coverage: { provider: "v8", include: ["src/**/*.ts"], exclude: ["src/**/*.test.ts"] },
    projects: [
      {
        extends: true,
        test: {
          name: "quick",
          include: ["src/**/*.test.ts", "test/**/*.test.ts"],
          exclude: [...calm],
          // Of two processors vitest would use one, and most files wait for a disk or a database.
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: "calm", include: [...calm], maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});

export default config;
