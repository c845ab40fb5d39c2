import type { Inventory } from "../inventory.ts";
import type { LintFacts } from "./facts.ts";
import { lineOf, quoted, type Tell } from "./finding.ts";

/** Commands that cannot work as they stand: a script that is not there, a placeholder that nobody filled in. */
export function checkCommands(inventory: Inventory, facts: LintFacts, tell: Tell): void {
  const missing = new Set(facts.scripts?.missing);
  const told = new Set<string>();
  for (const command of inventory.commands) {
    for (const script of command.scripts) {
      const path = scriptPath(script, command.cwd);
      if (!missing.has(path) || told.has(path)) continue;
      told.add(path);
      const others = inventory.commands.filter(
        (other) => other !== command && other.scripts.some((each) => scriptPath(each, other.cwd) === path),
      );
      tell("script-missing", command, {
        expected: `${path} in ${(facts.scripts?.searched ?? []).join(" or ")}`,
        found: "no such file",
        remedy: "write it, correct its path, or say which step makes it",
        also: others.map((other) => lineOf(other.place, quoted(other.shell))),
      });
    }
    if (command.blanks.length > 0)
      tell("blank-left", command, {
        expected: "a command that can be run as it stands",
        found: command.blanks.join(", "),
        remedy: "fill it in, or say who does and when",
      });
  }
}

/** Path of a script from the folder the plan begins in. */
export function scriptPath(script: string, cwd: string | null): string {
  const plain = script.replace(/^\.\//, "");
  return cwd === null || cwd === "." || cwd === "" || plain.startsWith("/")
    ? plain
    : `${cwd.replace(/\/$/, "")}/${plain}`;
}

/** Every script that commands call, unless the plan itself makes it first. */
export function scriptsOf(inventory: Inventory): readonly string[] {
  const made = inventory.artifacts
    .filter(({ change }) => change === "created")
    .map(({ path }) => path.replace(/^\.\//, "").replace(/\/$/, ""));
  const paths = new Set<string>();
  for (const { scripts, cwd, dangers } of inventory.commands)
    for (const script of scripts) {
      const path = scriptPath(script, cwd);
      const writes = dangers.some(({ kind }) => kind === "overwrites") && scripts.length > 1;
      if (
        !writes &&
        !made.some((each) => each === path || path.endsWith(`/${each}`) || each.endsWith(`/${path}`))
      )
        paths.add(path);
    }
  return [...paths];
}
