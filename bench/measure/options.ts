import { parseArgs } from "node:util";

/** What is told instead of measuring: the use of a benchmark, or what is wrong with how it was called. */
export class Usage extends Error {
  readonly exitCode: number;

  constructor(text: string, exitCode: number) {
    super(text);
    this.exitCode = exitCode;
  }
}

export interface BenchOptions {
  /** Parts to run; none named is all. */
  readonly only: readonly string[];
  /** A look with less work: no figures to publish. */
  readonly quick: boolean;
}

/**
 * Options of the benchmark that this process runs. `parts`: names that `--only` takes; `quick`: what `--quick` does, where it
 * does something.
 * @throws Usage for `--help` and for what this benchmark does not take
 */
export function benchOptions({
  parts = [],
  quick,
}: {
  readonly parts?: readonly string[];
  readonly quick?: string;
}): BenchOptions {
  const lines = [
    `npm run bench -- ${process.argv[2] ?? "NAME"} [OPTIONS]`,
    ...(parts.length > 0 ? [`  --only PART  one of ${parts.join(", ")}; more than once for several`] : []),
    ...(quick === undefined ? [] : [`  --quick      ${quick}`]),
    "  --help       this text",
  ];
  const refused = (why: string): Usage => new Usage([why, ...lines].join("\n"), 2);
  let values: { readonly only: string[]; readonly quick: boolean; readonly help: boolean };
  try {
    ({ values } = parseArgs({
      args: process.argv.slice(3),
      options: {
        only: { type: "string", multiple: true, default: [] },
        quick: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    throw refused((error as Error).message);
  }
  if (values.help) throw new Usage(lines.join("\n"), 0);
  const unknown = values.only.find((name) => !parts.includes(name));
  if (unknown !== undefined && parts.length === 0) throw refused("this benchmark has no parts for --only");
  if (unknown !== undefined) throw refused(`expected one of its parts after --only, found "${unknown}"`);
  if (values.quick && quick === undefined) throw refused("this benchmark takes no --quick");
  return values;
}
