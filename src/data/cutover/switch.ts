/**
 * Which side is in charge of the data, and since which epoch. An application writes to that side under that epoch; who
 * was fenced looks here for where to go on.
 */
export interface Standing {
  readonly side: "old" | "new";
  /** Grows with every decision, also with one to stay. */
  readonly epoch: number;
}

/**
 * Where the standing is kept, for the migration that turns it and the applications that follow it. The law of a switch:
 * each epoch is decided once. Whoever is first decides it; a second turn to the same epoch and side changes nothing, one to
 * the same epoch and the other side, or to an epoch below the one in charge, is refused. So a cutover and an application
 * that gives up waiting for it can both try, and exactly one of them is right.
 */
export interface Switch {
  /** For people and records. */
  readonly name: string;
  /** The standing now; `{ side: "old", epoch: 0 }` before the first turn. */
  read(): Promise<Standing>;
  /**
   * On disk when it resolves.
   * @throws CUTOVER_DATA_EPOCH when the epoch was decided otherwise, or a later one is in charge
   */
  turn(to: Standing): Promise<void>;
  /** The standing whenever it changed, beginning with the one now; ends when the signal aborts. */
  follow(options: { readonly signal: AbortSignal }): AsyncIterable<Standing>;
}
