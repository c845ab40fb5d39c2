import { type Clock, sleep } from "../core/index.ts";
import { askDecision, type Decision } from "../engine/index.ts";
import { RunViewer, type RunView } from "../report/index.ts";
import type { Store } from "../store/index.ts";
import type { CommandContext } from "./command.ts";
import type { OwnerClient } from "./owner-client.ts";
import { carriedBy, carrierOf, readStore, type StorePlace, viewRecorded } from "./reach-store.ts";

/** A run that another process carries: how to look at it, and how to speak to whoever carries it. */
export interface RunSource {
  /** The run as it changes, until nobody carries it any more or `signal` aborts. */
  views(signal: AbortSignal): AsyncIterable<RunView>;
  act(verb: "pause" | "continue" | "rollback", reason: string): Promise<unknown>;
  /** The run as the record tells it. */
  recorded(): Promise<RunView | undefined>;
}

/** Through the socket of the process that owns the folder. */
export function ownedRun(context: CommandContext, owner: OwnerClient, id: string): RunSource {
  const path = `/v1/runs/${encodeURIComponent(id)}`;
  return {
    views: (signal) => owner.stream<RunView>(`${path}/stream`, signal),
    act: (verb, reason) => owner.post(`${path}/${verb}`, { by: context.by, reason }),
    recorded: () => readStore(context, (store) => viewRecorded(context, store, id)),
  };
}

/** Through the record of a store that many processes share. */
export function sharedRun(context: CommandContext, store: Store, id: string): RunSource {
  return {
    views: (signal) => sharedViews(context, store, id, signal),
    act: (verb, reason) => {
      const decision: Decision = { verb, by: context.by, reason };
      return askDecision({ store, clock: context.clock, ...carrierOf(context) }, id, decision);
    },
    recorded: () => viewRecorded(context, store, id),
  };
}

/** Views are shown at least so often, because their times count up, and never faster than `leastMs`. */
const mostMs = 1_000;
const leastMs = 200;

async function* sharedViews(
  place: StorePlace,
  store: Store,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<RunView> {
  const viewer = new RunViewer(store, id);
  while (!signal.aborted) {
    const carrier = await carriedBy(place, store, id);
    yield await viewer.view({ at: store.clock.now(), nobodyCarries: carrier === undefined });
    if (carrier === undefined) return;
    await Promise.all([change(place.clock, store, id, signal), sleep(place.clock, leastMs)]);
  }
}

/** Until the run's stream grows, where the store tells of it, or a second has passed. */
function change(clock: Clock, store: Store, id: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      off();
      timer.cancel();
      signal.removeEventListener("abort", over);
      resolve();
    };
    const off = store.events.subscribe((events) => {
      if (events.some(({ stream }) => stream === `run:${id}`)) over();
    });
    const timer = clock.after(mostMs, over);
    signal.addEventListener("abort", over, { once: true });
  });
}
