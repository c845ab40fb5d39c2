import { type Gathered, pair, triple } from "./gathered.ts";
import type { ClaimNeeds, Needs } from "./order-io.ts";

/** Collects the needs of one round, without what was asked for before. */
export class Wanted {
  readonly ids: Set<string> = new Set();
  readonly leasesOf: Set<string> = new Set();
  readonly counts: Set<string> = new Set();
  readonly claims: ClaimNeeds[] = [];
  readonly followersOf: Set<string> = new Set();
  readonly inboxIds: Set<string> = new Set();
  readonly #known: Gathered;
  readonly #configs = new Set<string>();
  readonly #uniqueKeys = new Map<string, Needs["uniqueKeys"][number]>();
  readonly #lanes = new Map<string, Needs["lanes"][number]>();
  readonly #limitKeys = new Map<string, { queue: string; key: string; rows: number }>();

  constructor(known: Gathered) {
    this.#known = known;
  }

  config(queue: string): void {
    if (!this.#known.askedConfigs.has(queue)) this.#configs.add(queue);
  }

  uniqueKey(queue: string, key: string): void {
    const name = pair(queue, key);
    if (!this.#known.askedUnique.has(name)) this.#uniqueKeys.set(name, { queue, key });
  }

  lane(queue: string, priority: number, tenant: string): void {
    const name = triple(queue, priority, tenant);
    if (!this.#known.askedLanes.has(name)) this.#lanes.set(name, { queue, priority, tenant });
  }

  /** One more order of the key is touched; `spare` rows of it are loaded beside those. */
  limitKey(queue: string, key: string, spare: number): void {
    const name = pair(queue, key);
    if (this.#known.askedKeys.has(name)) return;
    const wanted = this.#limitKeys.get(name);
    if (wanted === undefined) this.#limitKeys.set(name, { queue, key, rows: spare + 1 });
    else wanted.rows = Math.min(1_000, Math.max(wanted.rows, spare) + 1);
  }

  get isEmpty(): boolean {
    const { counts, followersOf, inboxIds } = this;
    const asked = [
      counts,
      followersOf,
      inboxIds,
      this.#configs,
      this.#uniqueKeys,
      this.#lanes,
      this.#limitKeys,
    ];
    return this.claims.length === 0 && this.#newIds().length === 0 && asked.every(({ size }) => size === 0);
  }

  needs(): Needs {
    return {
      ids: this.#newIds(),
      ...(this.leasesOf.size === 0 ? {} : { leasesOf: [...this.leasesOf] }),
      uniqueKeys: [...this.#uniqueKeys.values()],
      lanes: [...this.#lanes.values()],
      counts: [...this.counts],
      configs: [...this.#configs],
      claims: this.claims,
      followersOf: [...this.followersOf],
      limitKeys: [...this.#limitKeys.values()],
      inboxIds: [...this.inboxIds],
    };
  }

  #newIds(): string[] {
    return [...this.ids].filter((id) => !this.#known.askedIds.has(id));
  }
}
