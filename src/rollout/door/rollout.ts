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
  stages,
  systemClock,
  type Timer,
} from "../../core/index.ts";
import { chooseLink, type SourceOptions } from "./choose-link.ts";
import type { Backlog } from "./backlog.ts";
import { Deadlines } from "./deadlines.ts";
import { openEntity } from "./entity.ts";
import { type Entity, type EntityOptions, type Functions, readEntityOptions } from "./entity-options.ts";
import { StoreFolder } from "./folder.ts";
import { journalDisk } from "./journal-disk.ts";
import { Ledger } from "./ledger.ts";
import type { Link } from "./link.ts";
import {
  type RoutableFunction,
  type RoutedFunction,
  type RouteLimits,
  type RouteOptions,
  readRouteOptions,
} from "./options.ts";
import { Overhead } from "./overhead.ts";
import { ErrorReporter, type OnError } from "./report-error.ts";
import { openRoute, type RouteSurroundings } from "./open-route.ts";
import { ownPredicate } from "./own-functions.ts";
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
  /**
   * Percentage of this process's time, 0.1 to 100, that work beside the callers may take: copying, comparing, and what
   * shadow calls do before they first wait. Above it shadow calls are skipped and counted. Default 5.
   */
  readonly overhead?: number;
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
  /**
   * The reads and writes of one kind of thing, under one stage: one function for each operation, called like the old one.
   *
   * | stage       | reads                             | writes                                            |
   * | ----------- | --------------------------------- | ------------------------------------------------- |
   * | `off`       | old                               | old                                               |
   * | `dualwrite` | old                               | old, then new                                     |
   * | `shadow`    | old, compared with new            | old, then new                                     |
   * | `live`      | new for keys of the share         | new, then old for these keys; old, then new else  |
   * | `rampdown`  | new                               | new, then old                                     |
   * | `complete`  | new                               | new                                               |
   *
   * The second write comes after the caller's answer, one after the other for each key. It stands in a journal on disk
   * before the first one begins, is repeated until it got through, and goes on after a crash. Until it is done its key is
   * read and written on the side that has it, whatever the stage says. Writes run at least once on each side.
   *
   * @throws CUTOVER_ROUTE_INVALID, CUTOVER_ROUTE_DUPLICATE, CUTOVER_DURATION_INVALID; never once a function is called.
   * @example
   * const orders = rollout.entity("orders", {
   *   key: (order: string | Order) => (typeof order === "string" ? order : order.id),
   *   reads: { get: { old: legacy.get, new: store.get } },
   *   writes: { put: { old: legacy.put, new(order) { return store.put(order, { fence: this.id }); } } },
   * });
   */
  entity<R extends Functions = {}, W extends Functions = {}>(
    name: string,
    options: EntityOptions<R, W>,
  ): Entity<R, W>;
  /**
   * The second writes of an entity that are not done yet.
   * @throws CUTOVER_ROUTE_UNKNOWN when this rollout has no such entity
   */
  backlog(entity: string): Backlog;
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
  readonly close: () => void | Promise<void>;
  readonly backlog?: Backlog;
  readonly changed?: () => void;
}

/** Parts that a route and an entity have alike. */
interface Parts {
  readonly around: RouteSurroundings;
  readonly close: () => void;
}

class Door implements Rollout {
  readonly name: string;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #errors: ErrorReporter;
  readonly #link: Link | null;
  readonly #routes = new Map<string, OpenRoute>();
  /** False when epochs are counted in this process: by a file of stages, or by `apply` alone. */
  readonly #sharedEpochs: boolean;
  /** Where journals lie; none when the stages come from elsewhere than a store's folder. */
  readonly #folder: StoreFolder | undefined;
  /** States heard of, of declared routes and of others. */
  readonly #known = new Map<string, RouteState>();
  readonly #flushMs: number;
  readonly #overhead: Overhead;
  readonly #session: string = shortId("");
  #sequence = 0;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: RolloutOptions) {
    this.name = (options.name ?? `${hostname()}:${pid}`).slice(0, longestName);
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#errors = new ErrorReporter(options.onError, this.#clock);
    this.#overhead = new Overhead(this.#clock, options.overhead ?? 5);
    this.#flushMs = Math.max(1, parseDuration(options.flush ?? 250));
    for (const given of options.state ?? []) {
      const state = readRouteState({ share: 0, epoch: 0, salt: given.route, ...given });
      this.#known.set(state.route, state);
    }
    const elsewhere = options.link !== undefined || options.url !== undefined || options.file !== undefined;
    this.#sharedEpochs = options.file === undefined && options.link !== null;
    this.#folder = elsewhere ? undefined : new StoreFolder(options.dir);
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
    this.#refuseTwice(name);
    const declaration: RouteDeclaration = {
      route: name,
      door: this.name,
      operations: limits.operations,
      stages: limits.stages,
      ...(limits.cohorts.length === 0 ? {} : { cohorts: limits.cohorts }),
      ...(limits.never.size === 0 ? {} : { never: Object.fromEntries(limits.never) }),
    };
    const { around, close } = this.#open(declaration, limits, options.expected);
    const fn = openRoute(name, options, limits, around);
    this.#routes.set(name, { ledger: around.ledger, declaration, close });
    this.#link?.declare(declaration);
    return fn;
  }

  entity<R extends Functions, W extends Functions>(name: string, options: EntityOptions<R, W>): Entity<R, W> {
    const limits = readEntityOptions(name, options);
    this.#refuseTwice(name);
    const { cohorts } = limits.limits;
    const declaration: RouteDeclaration = {
      route: name,
      door: this.name,
      operations: [...limits.reads.keys()],
      stages,
      ...(cohorts.length === 0 ? {} : { cohorts }),
      ...(limits.writes.size === 0 ? {} : { backlogLimit: limits.backlogLimit }),
    };
    const { around, close } = this.#open(declaration, limits.limits, options.expected);
    const entity = openEntity(name, options, limits, {
      ...around,
      random: this.#random,
      disk: journalDisk,
      sharedEpochs: this.#sharedEpochs,
      folder: () => this.#folder?.path(),
    });
    this.#routes.set(name, {
      ledger: around.ledger,
      declaration,
      close: () => entity.close().then(close),
      ...(limits.writes.size === 0 ? {} : { backlog: entity.backlog, changed: () => entity.stateChanged() }),
    });
    this.#link?.declare(declaration);
    return entity.functions;
  }

  backlog(entity: string): Backlog {
    const backlog = this.#routes.get(entity)?.backlog;
    if (backlog !== undefined) return backlog;
    throw new CutoverError("CUTOVER_ROUTE_UNKNOWN", {
      message: `expected the name of an entity with writes in this rollout, found ${JSON.stringify(entity)}`,
      place: "rollout.backlog",
      remedy: "declare it with rollout.entity() first",
    });
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
    for (const { ledger, backlog } of this.#routes.values()) {
      const counted = ledger.takeIntervals(nextId, this.name);
      const missing = backlog?.behind;
      const intervals =
        missing === undefined ? counted : counted.map((interval) => ({ ...interval, backlog: missing }));
      const samples = ledger.takeSamples();
      if (intervals.length + samples.length > 0) this.#link.send(intervals, samples);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.flush();
    await Promise.all([...this.#routes.values()].map(async (route) => route.close()));
    await this.#link?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #refuseTwice(name: string): void {
    if (!this.#routes.has(name)) return;
    throw new CutoverError("CUTOVER_ROUTE_DUPLICATE", {
      message: `expected one declaration of route ${JSON.stringify(name)} in this rollout, found a second`,
      details: { route: name },
      place: `route(${JSON.stringify(name)})`,
    });
  }

  #open(
    declaration: RouteDeclaration,
    limits: RouteLimits,
    expected: ((error: unknown) => boolean) | undefined,
  ): Parts {
    const name = declaration.route;
    const first: RouteState = { route: name, stage: "off", share: 0, epoch: 0, salt: name };
    const known = this.#known.get(name);
    const ledger = new Ledger(known !== undefined && this.#accepts(declaration, known) ? known : first, {
      clock: this.#clock,
      random: this.#random,
      deadline: limits.deadline,
      expected:
        expected === undefined
          ? undefined
          : ownPredicate("expected", expected, { route: name, errors: this.#errors }),
    });
    const apart = new Deadlines(this.#clock, limits.shadowDeadline);
    const live = new Deadlines(this.#clock, limits.deadline);
    const closing: (() => void)[] = [];
    const around: RouteSurroundings = {
      ledger,
      apart,
      live,
      errors: this.#errors,
      clock: this.#clock,
      door: this.name,
      random: this.#random,
      overhead: this.#overhead,
      closing,
    };
    const close = (): void => {
      apart.close();
      live.close();
      for (const closed of closing) closed();
      ledger.streams.close();
    };
    return { around, close };
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
      route?.changed?.();
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
        remedy:
          state.stage === "shadow"
            ? 'declare `effects: "none"`, capture the effects, or give a `shadow` function that answers without acting'
            : "both sides act through one captured port, so go from shadow to live",
      }),
    );
    return false;
  }
}
