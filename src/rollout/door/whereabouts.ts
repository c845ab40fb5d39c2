import type { ServerAddress } from "./server-address.ts";

/** How a link finds the server it follows, and what it knows without one. */
export interface Whereabouts {
  /** States known without the server, when they changed since they were last asked for. */
  changed(): readonly unknown[] | undefined;
  /** Where the server answers; undefined while nobody is known to. */
  address(): ServerAddress | undefined;
  /** Calls `look` when one of the answers above may have changed. Called again and again; watches once. */
  watch(look: () => void): void;
  unwatch(): void;
  /** What the server told, as far as it may be handed to the door. */
  take(states: readonly unknown[]): readonly unknown[];
  /** The server is whoever has the folder, so its word counts even when it has another store than before. */
  readonly isOwner: boolean;
}
