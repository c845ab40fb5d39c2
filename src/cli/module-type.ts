import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * The `package.json` that makes Node read the `.ts` and `.js` files of `dir` as CommonJS: the nearest one, when it
 * says `"type": "commonjs"`, as `npm init` writes it. Undefined when ES modules load there.
 */
export function commonJsManifest(dir: string): string | undefined {
  const file = join(dir, "package.json");
  if (existsSync(file)) return saysCommonJs(file) ? file : undefined;
  const above = dirname(dir);
  return above === dir ? undefined : commonJsManifest(above);
}

function saysCommonJs(file: string): boolean {
  try {
    return (
      (JSON.parse(readFileSync(file, "utf8")) as { readonly type?: unknown } | null)?.type === "commonjs"
    );
  } catch {
    return false; // Node itself says what is wrong with it as soon as it loads a file there.
  }
}
