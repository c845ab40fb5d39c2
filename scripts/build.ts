/** Compiles `src` to `dist` and carries over the files tsc leaves behind (SQL). The old `dist` stays until the new one is whole. */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, globSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

const root: string = join(import.meta.dirname, "..");
const next: string = join(root, `dist.${process.pid}`);

try {
  const tsc = join(root, "node_modules/.bin/tsc");
  execFileSync(tsc, ["-p", "tsconfig.build.json", "--outDir", next], { cwd: root, stdio: "inherit" });
  for (const asset of globSync("**/*.sql", { cwd: join(root, "src") })) {
    const target = join(next, asset);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(join(root, "src", asset), target);
  }
  chmodSync(join(next, "cli/main.js"), 0o755);
  rmSync(join(root, "dist"), { recursive: true, force: true });
  renameSync(next, join(root, "dist"));
} finally {
  rmSync(next, { recursive: true, force: true });
}
