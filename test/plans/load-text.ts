import { stripTypeScriptTypes } from "node:module";
import { runInThisContext } from "node:vm";
import * as main from "../../src/index.ts";
import type { Migration } from "../../src/index.ts";
import * as rollout from "../../src/rollout/index.ts";

/**
 * Loads the text of a definition in this process, as Node would load the file: types stripped, then run. Resolves with what it
 * exports. Faster than a file of its own, so that properties can try hundreds.
 */
export function loadText(text: string, modules: Readonly<Record<string, object>> = {}): Loaded {
  const doors: Readonly<Record<string, object>> = { cutover: main, "cutover/rollout": rollout, ...modules };
  const names: string[] = [];
  const body = stripTypeScriptTypes(text)
    .replaceAll(/^import \{([^}]*)\} from ("[^"]*"|'[^']*');?$/gm, (_, clause: string, door: string) => {
      const parts = clause.split(",").flatMap((each) => each.trim() || []);
      return `const { ${parts.map((part) => part.replace(" as ", ": ")).join(", ")} } = doors[${door}];`;
    })
    .replaceAll(/^export const (\w+)/gm, (_, name: string) => {
      names.push(name);
      return `const ${name}`;
    })
    .replace(/^export default (\w+);$/m, "");
  const answer = `return { default: migration, ${names.join(", ")} };`;
  const run = runInThisContext(`(doors) => { "use strict";\n${body}\n${answer}\n}`) as (
    doors: object,
  ) => Loaded;
  return run(doors);
}

export type Loaded = { readonly default: Migration } & Readonly<Record<string, unknown>>;
