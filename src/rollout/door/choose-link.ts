import { type Clock, CutoverError } from "../../core/index.ts";
import { FileLink } from "./file-link.ts";
import { httpLink } from "./http-link.ts";
import type { Link } from "./link.ts";
import { ownerLink } from "./owner-link.ts";
import type { ErrorReporter } from "./report-error.ts";

/** Where a door hears of its stages: one of these, by default the owner of the nearest `.cutover` folder. */
export interface SourceOptions {
  /** The `.cutover` folder. Default: found by walking up from the working directory, looked for again until it is there. */
  readonly dir?: string;
  /** Address of `cutover serve`, e.g. `http://10.0.0.5:4170`: for applications on other machines than the store. */
  readonly url?: string;
  /** The token of that server. */
  readonly token?: string;
  /** With `url`: a file that keeps the last stages, so that a restart while the server is away begins with them. */
  readonly cache?: string;
  /** A file of stages that a person or a configuration system writes; watched. What is measured is then not reported. */
  readonly file?: string;
  /** How states come and measurements go, e.g. `storeLink(store)`. `null`: nothing comes or goes. */
  readonly link?: Link | null;
}

/**
 * The link that the options ask for, each of the right kind already.
 * @throws CUTOVER_ROLLOUT_INVALID for two sources, an option without the one it belongs to, or an address that is none
 */
export function chooseLink(
  options: SourceOptions & { readonly state?: unknown },
  parts: { readonly clock: Clock; readonly random: () => number; readonly errors: ErrorReporter },
): Link | null {
  const { dir, url, token, cache, file, link } = options;
  const given = Object.entries({ dir, url, file, link: link ?? undefined })
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name);
  if (given.length > 1) throw invalid(given[1] ?? "", "one source of stages", given.join(" and "));
  if (url === undefined) {
    if (token !== undefined) throw invalid("token", "`url` beside it", "none");
    if (cache !== undefined) throw invalid("cache", "`url` beside it", "none");
  }
  if (link !== undefined) return link;
  if (url !== undefined) return httpLink({ ...parts, url, token, cache });
  if (file === undefined) return ownerLink(dir, parts);
  if (options.state !== undefined) throw invalid("state", "stages from the file alone", "some beside it");
  return new FileLink({ ...parts, file });
}

function invalid(place: string, expected: string, found: string): CutoverError {
  return new CutoverError("CUTOVER_ROLLOUT_INVALID", {
    message: `expected ${expected}, found ${found}`,
    place: `createRollout.${place}`,
  });
}
