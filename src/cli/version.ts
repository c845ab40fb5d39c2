import { readFileSync } from "node:fs";
import { ownFile } from "../core/index.ts";

/** The version in this package's own `package.json`. */
export function packageVersion(): string {
  const text = readFileSync(ownFile("../package.json"), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}
