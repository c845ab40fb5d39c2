/** Volatile fields: which paths a comparison leaves out. */
export interface IgnoreRules {
  /** Field names left out wherever they occur. */
  readonly names: ReadonlySet<string>;
  /** Paths from the root, split at the dots; `*` stands for one segment. */
  readonly paths: readonly (readonly string[])[];
}

/** `"createdAt"` is a name at any depth; `"items.*.id"` is a path from the root of the answer. */
export function ignoreRules(entries: readonly string[]): IgnoreRules {
  const isPath = (entry: string): boolean => entry.includes(".") || entry.includes("*");
  return {
    names: new Set(entries.filter((entry) => !isPath(entry))),
    paths: entries.filter(isPath).map((entry) => entry.split(".")),
  };
}

/** Is the member `name` below `parents` left out? */
export function isIgnored(rules: IgnoreRules, parents: readonly string[], name: string): boolean {
  if (rules.names.has(name)) return true;
  return rules.paths.some((path) => {
    const last = path.length - 1;
    if (last !== parents.length || !fits(path[last], name)) return false;
    return parents.every((parent, i) => fits(path[i], parent));
  });
}

const fits = (pattern: string | undefined, segment: string): boolean =>
  pattern === "*" || pattern === segment;
