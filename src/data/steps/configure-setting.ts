import type { Duration } from "../../core/index.ts";
import type { AnyChange, ConfigFormat } from "./configure-change.ts";
import type { AnyPlace } from "./configure-place.ts";
import type { DataStepPlacement } from "./step-input.ts";

export interface ConfigureOptions<T> extends Omit<DataStepPlacement, "timeout" | "estimate"> {
  /** How long it takes, for `cutover plan`. Default 1 s. */
  readonly estimate?: Duration;
  /** How a file is read. Default: `.json` and `.yaml` as such, others as text. */
  readonly format?: "json" | "yaml" | "text" | "bytes";
  /**
   * Makes it take effect, e.g. a reload. Called after the write, and on the way back after the old value is there again
   * (undefined: nothing was there); perhaps more than once, after a crash. Not called where nothing had to be changed.
   */
  readonly apply?: (value: T, about: ConfigureAbout) => unknown;
  /**
   * Has to hold for the value that is there within `within`, or the step fails: the new one, and on the way back the old one.
   * Asked every 250 ms; false or an error is "not yet".
   */
  readonly check?: (value: T, about: ConfigureAbout) => boolean | Promise<boolean>;
  /** Default 30 s. */
  readonly within?: Duration;
  /** Neither its values nor their digests are recorded. Members and lines that are named like secrets are never shown. */
  readonly secret?: boolean;
  /** Limit of one attempt. Default 1 h. */
  readonly timeout?: Duration;
}

export interface ConfigureAbout {
  /** Aborts when the step has to stop, and when a check's time is over. */
  readonly signal: AbortSignal;
  /** True on the way back. */
  readonly back: boolean;
}

/** A step's place, change and options, as it was given them. */
export interface ConfigureSetting {
  readonly place: AnyPlace;
  readonly change: AnyChange;
  readonly options: Partial<ConfigureOptions<never>>;
  readonly format: ConfigFormat;
  readonly name: string;
}
