/** What a door said last of its second writes, and when. */
export interface BacklogGauge {
  readonly open: number;
  readonly to: number;
}

/** A door reports every second; one that has not for so long is gone, or cut off, milliseconds. */
export const doorSilence = 30_000;
/** A door's report may come so late after its newer ones; one that is older still says that its clock was set back. */
const lateMs = 10_000;

/** Doors are named `host:pid`; a journal lies on its host. */
const hostOf = (door: string): string => door.split(":")[0] ?? door;

/**
 * Second writes that one side has taken and the other has not: the newest gauge of each door. What a door had open when it
 * fell silent keeps counting, for nobody has seen it done, until a door on the same host has reported for 30 s longer,
 * which then has found those writes in the journal there and counts them itself. Gates, triggers and steps judge by this.
 */
export class DoorBacklogs {
  readonly #doors = new Map<string, BacklogGauge>();
  #newest = Number.NEGATIVE_INFINITY;

  /** `late`: passed over, since a newer one is known. `set-back`: taken, and times before cannot be compared with it. */
  take(door: string, open: number, to: number): "taken" | "late" | "set-back" {
    const known = this.#doors.get(door);
    if (known !== undefined && to < known.to && to >= known.to - lateMs) return "late";
    const setBack = known !== undefined && to < this.#newest - doorSilence;
    if (setBack) this.#newest = to;
    this.#doors.set(door, { open, to });
    this.#newest = Math.max(this.#newest, to);
    for (const [name, gauge] of this.#doors) {
      const done = gauge.open === 0 && gauge.to < this.#newest - doorSilence;
      if (done || (hostOf(name) === hostOf(door) && to > gauge.to + doorSilence)) this.#doors.delete(name);
    }
    return setBack ? "set-back" : "taken";
  }

  /** End of the newest report; minus infinity before the first. */
  get newest(): number {
    return this.#newest;
  }

  get doors(): ReadonlyMap<string, BacklogGauge> {
    return this.#doors;
  }

  get open(): number {
    let sum = 0;
    for (const gauge of this.#doors.values()) sum += gauge.open;
    return sum;
  }

  /** True when no door has reported for 30 s: then nobody knows. */
  isMute(now: number): boolean {
    return [...this.#doors.values()].every(({ to }) => now - to > doorSilence);
  }

  /** Doors that fell silent with open writes. */
  lost(now: number): readonly { readonly door: string; readonly open: number; readonly silentMs: number }[] {
    return [...this.#doors]
      .filter(([, { open, to }]) => open > 0 && now - to > doorSilence)
      .map(([door, { open, to }]) => ({ door, open, silentMs: now - to }));
  }
}
