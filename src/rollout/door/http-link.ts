import { CutoverError, type RouteState } from "../../core/index.ts";
import type { Link } from "./link.ts";
import { readRouteState } from "./route-state.ts";
import { readServerAddress, type ServerAddress, shownAddress } from "./server-address.ts";
import { StageCache } from "./stage-cache.ts";
import { StreamLink, type StreamLinkOptions } from "./stream-link.ts";
import type { Whereabouts } from "./whereabouts.ts";

export interface HttpLinkOptions extends Omit<StreamLinkOptions, "where" | "slowest"> {
  readonly url: string;
  readonly token: string | undefined;
  /** File that keeps the last stages for a start without the server. */
  readonly cache: string | undefined;
}

/**
 * The link to a server of stages, as `cutover serve` is one. A server is only an address: when it tells of another store
 * than the one that was followed, or of an older copy of that store, the door keeps what it has and says so.
 * @throws CUTOVER_ROLLOUT_INVALID for a URL or token that cannot be one
 */
export function httpLink(options: HttpLinkOptions): Link {
  const { url, token, cache, ...rest } = options;
  return new StreamLink({
    ...rest,
    where: new Server(readServerAddress(url, token), cache, rest),
    slowest: 5_000,
  });
}

class Server implements Whereabouts {
  readonly isOwner = false;
  readonly #address: ServerAddress;
  readonly #errors: StreamLinkOptions["errors"];
  readonly #cache: StageCache | undefined;
  /** The newest state taken of each route, by which another store is known. */
  readonly #taken = new Map<string, RouteState>();
  #loaded = false;

  constructor(
    address: ServerAddress,
    cache: string | undefined,
    { clock, errors }: Pick<StreamLinkOptions, "clock" | "errors">,
  ) {
    this.#address = address;
    this.#errors = errors;
    this.#cache = cache === undefined ? undefined : new StageCache({ path: cache, clock, errors });
  }

  /** Read once: later the server knows better, and this process keeps what it told. */
  changed(): readonly unknown[] | undefined {
    if (this.#loaded || this.#cache === undefined) return undefined;
    this.#loaded = true;
    const states = this.#cache.load();
    for (const state of states) this.#taken.set(state.route, state);
    return states;
  }

  address(): ServerAddress {
    return this.#address;
  }

  watch(): void {
    // Nothing lies here that could change.
  }

  unwatch(): void {
    // Nothing is watched.
  }

  take(states: readonly unknown[]): readonly unknown[] {
    const good = states.filter((found) => this.#fits(found));
    this.#cache?.keep(
      good.filter((found) => this.#taken.get((found as RouteState).route) === found) as RouteState[],
    );
    return good;
  }

  /** What is no state at all goes on to the door, which refuses it by name. */
  #fits(found: unknown): boolean {
    try {
      readRouteState(found);
    } catch {
      return true;
    }
    const state = found as RouteState;
    const before = this.#taken.get(state.route);
    if (before !== undefined && (before.salt !== state.salt || before.epoch > state.epoch)) {
      this.#tell(before, state);
      return false;
    }
    this.#taken.set(state.route, state);
    return true;
  }

  #tell(before: RouteState, state: RouteState): void {
    const other = before.salt !== state.salt;
    const found = other ? "another store" : `an older copy of it, at epoch ${state.epoch}`;
    this.#errors.report(
      new CutoverError("CUTOVER_STORE_OTHER", {
        message: `expected the store that told ${JSON.stringify(state.route)} at epoch ${before.epoch}, found ${found}; the route stays at ${before.stage} ${before.share} %`,
        details: { route: state.route, epoch: before.epoch, found: state.epoch, otherStore: other },
        place: `${shownAddress(this.#address)} ${state.route}`,
      }),
    );
  }
}
