/**
 * Builds `dist` from `src`: declarations as tsc writes them, and its JavaScript bundled into a file for each door, for the
 * command line and for each thread, with what they share in `chunks`. A command loads a dozen files instead of 350. SQL files
 * are carried over. The old `dist` stays until the new one is whole.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { rolldown } from "rolldown";

const root: string = join(import.meta.dirname, "..");
const compiled = join(root, `dist.${process.pid}.compiled`);
const next: string = join(root, `dist.${process.pid}`);

try {
  const tsc = join(root, "node_modules/.bin/tsc");
  execFileSync(tsc, ["-p", "tsconfig.build.json", "--outDir", compiled], { cwd: root, stdio: "inherit" });
  await bundle([...doors(), "cli/main", ...threads()]);
  carry("**/*.d.ts", compiled);
  carry("**/*.sql", join(root, "src"));
  chmodSync(join(next, "cli/main.js"), 0o755);
  rmSync(join(root, "dist"), { recursive: true, force: true });
  renameSync(next, join(root, "dist"));
} finally {
  rmSync(next, { recursive: true, force: true });
  rmSync(compiled, { recursive: true, force: true });
}

/** What the package exports, as paths without an ending. */
function doors(): readonly string[] {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
  };
  return Object.values(exports).flatMap((target) =>
    typeof target === "string" ? [] : [target.default.replace(/^\.\/dist\/(.*)\.js$/, "$1")],
  );
}

/** Modules that are started by name. */
function threads(): readonly string[] {
  return globSync("**/*.ts", { cwd: join(root, "src") }).flatMap((file) =>
    [...readFileSync(join(root, "src", file), "utf8").matchAll(/\bownThread\("([^"]+)"\)/g)].map(
      ([, path]) => path as string,
    ),
  );
}

async function bundle(entries: readonly string[]): Promise<void> {
  const build = await rolldown({
    input: Object.fromEntries(entries.map((path) => [path, join(compiled, `${path}.js`)])),
    platform: "node",
    external: (id) => !id.startsWith(".") && !id.startsWith("/"),
  });
  const { output } = await build.write({
    dir: next,
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "chunks/[name]-[hash].js",
  });
  await build.close();
  // It finds the other files from where it lies.
  const home = output.find(
    (file) => file.type === "chunk" && file.moduleIds.some((id) => id.endsWith("/core/own-files.js")),
  );
  if (home === undefined || dirname(home.fileName) !== "chunks")
    throw new Error(`expected core/own-files in dist/chunks, found it in ${home?.fileName ?? "no file"}`);
}

function carry(pattern: string, from: string): void {
  for (const file of globSync(pattern, { cwd: from })) {
    mkdirSync(dirname(join(next, file)), { recursive: true });
    cpSync(join(from, file), join(next, file));
  }
}
