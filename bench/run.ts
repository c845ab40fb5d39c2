/** `node bench/run.ts NAME`: runs the benchmark `bench/NAME.ts`, which exports `run(): Promise<void>`. */
import { globSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Usage } from "./measure/options.ts";

const names: string[] = globSync("*.ts", { cwd: import.meta.dirname })
  .filter((file) => file !== "run.ts")
  .map((file) => file.slice(0, -".ts".length))
  .sort();

const name: string = process.argv[2] ?? "";
const use: string = `npm run bench -- NAME [--help], with one of these names\n  ${names.join("\n  ")}`;
try {
  if (name === "--help") throw new Usage(use, 0);
  if (!names.includes(name)) throw new Usage(`expected the name of a benchmark, found "${name}"\n${use}`, 2);
  const module: unknown = await import(pathToFileURL(join(import.meta.dirname, `${name}.ts`)).href);
  await (module as { run: () => Promise<void> }).run();
} catch (error) {
  if (!(error instanceof Usage)) throw error;
  (error.exitCode === 0 ? console.log : console.error)(error.message);
  process.exitCode = error.exitCode;
}
