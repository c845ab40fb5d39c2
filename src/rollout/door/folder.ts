import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** The store's folder as an application sees it: where the owner is, and the stages it left behind. */
export class StoreFolder {
  readonly #given: string | undefined;
  #routesSeen = "";

  /** @param dir the `.cutover` folder; by default the nearest one, walking up from the working directory */
  constructor(dir: string | undefined) {
    this.#given = dir === undefined ? undefined : resolve(dir);
  }

  /** The folder, or undefined while there is none. */
  path(): string | undefined {
    if (this.#given !== undefined) return existsSync(this.#given) ? this.#given : undefined;
    for (let at = resolve("."); ; at = dirname(at)) {
      const folder = join(at, ".cutover");
      if (existsSync(folder)) return folder;
      if (at === dirname(at)) return undefined;
    }
  }

  /** Path of the owner's socket, or undefined when nobody says to own the store. */
  ownerSocket(): string | undefined {
    const socket = (this.#json("owner.json") as { socket?: unknown } | undefined)?.socket;
    return typeof socket === "string" ? socket : undefined;
  }

  /** States in `routes.json`, or undefined when it is missing, damaged or the same as last time. */
  changedRoutes(): readonly unknown[] | undefined {
    const folder = this.path();
    if (folder === undefined) return undefined;
    let version: string;
    try {
      const { mtimeMs, ino, size } = statSync(join(folder, "routes.json"));
      version = `${mtimeMs} ${ino} ${size}`;
    } catch {
      return undefined;
    }
    if (version === this.#routesSeen) return undefined;
    const routes = (this.#json("routes.json") as { routes?: unknown } | undefined)?.routes;
    if (!Array.isArray(routes)) return undefined;
    this.#routesSeen = version;
    return routes;
  }

  #json(file: string): unknown {
    const folder = this.path();
    if (folder === undefined) return undefined;
    try {
      return JSON.parse(readFileSync(join(folder, file), "utf8"));
    } catch {
      return undefined; // not there, or just being replaced: the next look finds it
    }
  }
}
