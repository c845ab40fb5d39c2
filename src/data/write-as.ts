/** How an application writes. */
export interface WriteAs {
  /** Default 0. */
  readonly epoch?: number;
  /** Whether it is on disk when it resolves. Default false. */
  readonly durable?: boolean;
  /** Default: each write stands for itself. */
  readonly chain?: WriteChain;
}

/**
 * Writes that belong one behind the other: when one was refused for its epoch, so are all that come after it, even if the
 * fence was lifted in between. Otherwise a later write to a key would overtake the one that has to be tried again.
 */
export interface WriteChain {
  /** The epoch in charge when the first was refused. */
  refusedBy: number | undefined;
}
