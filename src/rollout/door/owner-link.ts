import { type FSWatcher, watch } from "node:fs";
import { StoreFolder } from "./folder.ts";
import type { ServerAddress } from "./server-address.ts";
import type { Link } from "./link.ts";
import { StreamLink, type StreamLinkOptions } from "./stream-link.ts";
import type { Whereabouts } from "./whereabouts.ts";

/**
 * The link to whoever owns the store of this project. Follows its stream of states while there is an owner; without
 * one reads `routes.json` and looks for a new owner, at every change of the folder and at least once a second.
 * @param dir the `.cutover` folder; by default the nearest one, looked for again until it is there
 */
export function ownerLink(
  dir: string | undefined,
  options: Omit<StreamLinkOptions, "where" | "slowest">,
): Link {
  return new StreamLink({ ...options, where: new OwnedFolder(dir), slowest: 1_000 });
}

class OwnedFolder implements Whereabouts {
  readonly isOwner = true;
  readonly #folder: StoreFolder;
  #watcher: FSWatcher | undefined;

  constructor(dir: string | undefined) {
    this.#folder = new StoreFolder(dir);
  }

  changed(): readonly unknown[] | undefined {
    return this.#folder.changedRoutes();
  }

  address(): ServerAddress | undefined {
    const socketPath = this.#folder.ownerSocket();
    return socketPath === undefined ? undefined : { socketPath };
  }

  watch(look: () => void): void {
    const folder = this.#folder.path();
    if (this.#watcher !== undefined || folder === undefined) return;
    try {
      this.#watcher = watch(folder, { persistent: false }, (_, file) => {
        if (file === "owner.json" || file === "routes.json" || file === null) look();
      });
      this.#watcher.on("error", () => this.unwatch());
    } catch {
      this.unwatch(); // out of watches: the slow poll finds every change as well
    }
  }

  /** The folder may have been removed and made anew: a watch of the old one would see nothing. */
  unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  take(states: readonly unknown[]): readonly unknown[] {
    return states;
  }
}
