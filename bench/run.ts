/** `node bench/run.ts NAME`: runs the benchmark `bench/NAME.ts`, which exports `run(): Promise<void>`. */
import { globSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const names: string[] = globSync("*.ts", { cwd: import.meta.dirname })
  .filter((file) => file !== "run.ts")
  .map((file) => file.slice(0, -".ts".length))
  .sort();

const name: string = process.argv[2] ?? "";
if (names.includes(name)) {
  const module: unknown = await import(pathToFileURL(join(import.meta.dirname, `${name}.ts`)).href);
  await (module as { run: () => Promise<void> }).run();
} else {
  console.error(`expected the name of a benchmark, found "${name}"\n  ${names.join("\n  ")}`);
  process.exitCode = 2;
}
