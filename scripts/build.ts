/** Compiles `src` to `dist` and carries over the files tsc leaves behind (SQL, templates). */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, globSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

const root: string = join(import.meta.dirname, "..");

rmSync(join(root, "dist"), { recursive: true, force: true });
execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
for (const asset of globSync("**/*.{sql,css,html}", { cwd: join(root, "src") })) {
  const target = join(root, "dist", asset);
  mkdirSync(dirname(target), { recursive: true });
  cpSync(join(root, "src", asset), target);
}
chmodSync(join(root, "dist/cli/main.js"), 0o755);
