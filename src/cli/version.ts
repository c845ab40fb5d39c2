import { readFileSync } from "node:fs";

/** The version in this package's own `package.json`, two folders up from `dist/cli` and from `src/cli` alike. */
export function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}
