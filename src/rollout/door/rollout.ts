import { hostname } from "node:os";
import { pid } from "node:process";
import {
  type Clock,
  CutoverError,
  type Duration,
  parseDuration,
  type RouteDeclaration,
  type RouteState,
  shortId,
  systemClock,
  type Timer,
} from "../../core/index.ts";
import { chooseLink, type SourceOptions } from "./choose-link.ts";
import { Deadlines } from "./deadlines.ts";
import { Ledger } from "./ledger.ts";
import type { Link } from "./link.ts";
import {
  type RoutableFunction,
  type RoutedFunction,
  type RouteOptions,
  readRouteOptions,
} from "./options.ts";
import { ErrorReporter, type OnError } from "./report-error.ts";
import { openRoute } from "./open-route.ts";
import { checkRolloutOptions } from "./rollout-options.ts";
import { readRouteState } from "./route-state.ts";

export interface RolloutOptions extends SourceOptions {
  /** Name of this process in the record, at most 150 characters. Default `host:pid`. */
  readonly name?: string;
  /** States to start from, for tests and for processes that are steered by configuration. */
  readonly state?: readonly (Pick<RouteState, "route" | "stage"> & Partial<RouteState>)[];
  /** Hears what fails beside the callers: the link, second writes, functions given to `route`. Each trouble once in 10 s. */
  readonly onError?: OnError;
  /** Time between two reports of what was measured. Default 250 ms. */
  readonly flush?: Duration;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** The door of an application to the stages of its routes. Close it with `await using` or `close()`. */
export interface Rollout extends AsyncDisposable {
  readonly name: string;
  /**
   * A function that calls the old side, the new side or both, as the route's stage says, and answers as the old one
   * would: same parameters, same result, synchronous when the sides are.
   *
   * - `off` the old side answers.
   * - `dualwrite` the old side answers, then the new side is called with the same input; its failure is counted.
   * - `shadow` the old side answers, then `shadow` (or `new`) is called off the caller's path and compared.
   * - `live` the new side answers the share of keys, the old side the rest.
   * - `rampdown` the new side answers, then the old side is called with the same input.
   * - `complete` the new side answers.
   *
   * @throws CUTOVER_ROUTE_INVALID, CUTOVER_ROUTE_DUPLICATE, CUTOVER_DURATION_INVALID; never once it is called.
   */
  route<F extends RoutableFunction>(name: string, options: RouteOptions<F>): RoutedFunction<F>;
  /** Takes states over, each one only when its epoch is above the one known. For links and tests. */
  apply(states: readonly RouteState[]): void;
  /** States of the declared routes in this process. */
  states(): readonly RouteState[];
  /** Reports what was measured now instead of at the next flush. */
  flush(): void;
  close(): Promise<void>;
}

/**
 * Opens the door. It starts with the last known stages, follows whoever has them as soon as it is there, keeps the last
 * stages when it goes away, never keeps the process alive and never throws into a caller.
 *
 * By default it follows the owner of the nearest `.cutover` folder (`routes.json` without one), with `url` a
 * `cutover serve`, with `file` a file, with `link: storeLink(store)` a store that this process has open.
 * @throws CUTOVER_ROLLOUT_INVALID for an unknown option or one of a wrong kind, two sources, or an address that is none
 * @example
 * const rollout = createRollout({ url: "http://10.0.0.5:4170", token: process.env.CUTOVER_TOKEN, cache: "stages.cache.json" });
 */
export function createRollout(options: RolloutOptions = {}): Rollout {
  checkRolloutOptions(options);
  return new Door(options);
}

/** Names go into the ids of intervals, which have their own limit on the wire. */
const longestName = 150;

interface OpenRoute {
  readonly ledger: Ledger;
  readonly declaration: RouteDeclaration;
  readonly close: () => void;
}

class Door implements Rollout {
  readonly name: string;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #errors: ErrorReporter;
  readonly #link: Link | null;
  readonly #routes = new Map<string, OpenRoute>();
  /** States heard of, of declared routes and of others. */
  readonly #known = new Map<string, RouteState>();
  readonly #flushMs: number;
  readonly #session: string = shortId("");
  #sequence = 0;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: RolloutOptions) {
    this.name = (options.name ?? `${hostname()}:${pid}`).slice(0, longestName);
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#errors = new ErrorReporter(options.onError, this.#clock);
    this.#flushMs = Math.max(1, parseDuration(options.flush ?? 250));
    for (const given of options.state ?? []) {
      const state = readRouteState({ share: 0, epoch: 0, salt: given.route, ...given });
      this.#known.set(state.route, state);
    }
    this.#link = chooseLink(options, { clock: this.#clock, random: this.#random, errors: this.#errors });
    this.#link?.open({
      name: this.name,
      apply: (states, fromOwner) => this.#apply(states, fromOwner),
      declarations: () => [...this.#routes.values()].map((route) => route.declaration),
    });
    if (this.#link !== null) this.#armFlush();
  }

  route<F extends RoutableFunction>(name: string, options: RouteOptions<F>): RoutedFunction<F> {
    const limits = readRouteOptions(name, options);
    if (this.#routes.has(name)) {
      throw new CutoverError("CUTOVER_ROUTE_DUPLICATE", {
        message: `expected one declaration of route ${JSON.stringify(name)} in this rollout, found a second`,
        details: { route: name },
        place: `route(${JSON.stringify(name)})`,
      });
    }
    const declaration: RouteDeclaration = {
      route: name,
      door: this.name,
      operations: limits.operations,
      stages: limits.stages,
      ...(limits.cohorts.length === 0 ? {} : { cohorts: limits.cohorts }),
      ...(limits.never.size === 0 ? {} : { never: Object.fromEntries(limits.never) }),
    };
    const first: RouteState = { route: name, stage: "off", share: 0, epoch: 0, salt: name };
    const known = this.#known.get(name);
    const ledger = new Ledger(known !== undefined && this.#accepts(declaration, known) ? known : first, {
      clock: this.#clock,
      random: this.#random,
      deadline: limits.deadline,
      expected: options.expected,
    });
    const apart = new Deadlines(this.#clock, limits.shadowDeadline);
    const live = new Deadlines(this.#clock, limits.deadline);
    const fn = openRoute(name, options, limits, {
      ledger,
      apart,
      live,
      errors: this.#errors,
      clock: this.#clock,
      door: this.name,
    });
    const close = (): void => {
      apart.close();
      live.close();
      ledger.streams.close();
    };
    this.#routes.set(name, { ledger, declaration, close });
    this.#link?.declare(declaration);
    return fn;
  }

  apply(states: readonly RouteState[]): void {
    this.#apply(states, false);
  }

  states(): readonly RouteState[] {
    return [...this.#routes.values()].map((route) => route.ledger.state);
  }

  flush(): void {
    if (this.#link === null) return;
    const nextId = (): string => `${this.name}/${this.#session}/${++this.#sequence}`;
    for (const { ledger } of this.#routes.values()) {
      const intervals = ledger.takeIntervals(nextId, this.name);
      const samples = ledger.takeSamples();
      if (intervals.length + samples.length > 0) this.#link.send(intervals, samples);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.flush();
    for (const route of this.#routes.values()) route.close();
    await this.#link?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #armFlush(): void {
    this.#timer = this.#clock.after(this.#flushMs, () => {
      this.flush();
      this.#armFlush();
    });
    this.#timer.unref();
  }

  #apply(states: readonly unknown[], fromOwner: boolean): void {
    for (const found of states) {
      let state: RouteState;
      try {
        state = readRouteState(found);
      } catch (error) {
        this.#errors.report(error as CutoverError);
        continue;
      }
      const route = this.#routes.get(state.route);
      const before = route?.ledger.state ?? this.#known.get(state.route);
      const newer = before === undefined || state.epoch > before.epoch;
      if (!newer && !(fromOwner && state.salt !== before.salt)) continue;
      if (route !== undefined && !this.#accepts(route.declaration, state)) continue;
      this.#known.set(state.route, state);
      route?.ledger.setState(state);
    }
  }

  /** A stage that the call site cannot bear is refused here too, should anyone have set it. */
  #accepts(declaration: RouteDeclaration, state: RouteState): boolean {
    if (declaration.stages.includes(state.stage)) return true;
    this.#errors.report(
      new CutoverError("CUTOVER_ROUTE_INVALID", {
        message: `route ${JSON.stringify(state.route)} was set to stage ${state.stage}, but its call site allows ${declaration.stages.join(", ")}; it stays as it was`,
        details: { route: state.route, stage: state.stage },
        place: `route(${JSON.stringify(state.route)})`,
        remedy: 'declare `effects: "none"`, or give a `shadow` function that answers without acting',
      }),
    );
    return false;
  }
}
