import type { Clock, RouteDeclaration } from "../core/index.ts";

/** A door that neither holds its stream nor sends anything for this long is gone. It reports every second. */
const silenceMs = 10_000;

/**
 * What connected applications declared, by door. A declaration lives as long as its door: while the door holds
 * its stream open or reports, and `silenceMs` beyond. Kept in memory only; doors declare again when they reconnect.
 */
export class Doors {
  readonly #clock: Clock;
  readonly #doors = new Map<
    string,
    { declarations: Map<string, RouteDeclaration>; heardAt: number; streams: number }
  >();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Replaces what each named door declared about each named route. */
  declare(declarations: readonly RouteDeclaration[]): void {
    for (const declaration of declarations)
      this.#door(declaration.door).declarations.set(declaration.route, declaration);
  }

  /** A sign of life. */
  heard(door: string): void {
    this.#door(door).heardAt = this.#clock.monotonic();
  }

  /** The door opened its stream; the returned function tells that it ended. */
  connected(door: string): () => void {
    const entry = this.#door(door);
    entry.streams++;
    return () => {
      entry.streams--;
      entry.heardAt = this.#clock.monotonic();
    };
  }

  /** Declarations of living doors about one route, or about all. */
  declarations(route?: string): readonly RouteDeclaration[] {
    this.#forgetSilent();
    const all = [...this.#doors.values()].flatMap((entry) => [...entry.declarations.values()]);
    return route === undefined ? all : all.filter((declaration) => declaration.route === route);
  }

  /** Names of living doors. */
  names(): readonly string[] {
    this.#forgetSilent();
    return [...this.#doors.keys()];
  }

  #door(name: string): { declarations: Map<string, RouteDeclaration>; heardAt: number; streams: number } {
    let entry = this.#doors.get(name);
    if (entry === undefined) {
      entry = { declarations: new Map(), heardAt: 0, streams: 0 };
      this.#doors.set(name, entry);
    }
    entry.heardAt = this.#clock.monotonic();
    return entry;
  }

  #forgetSilent(): void {
    const limit = this.#clock.monotonic() - silenceMs;
    for (const [name, entry] of this.#doors) {
      if (entry.streams === 0 && entry.heardAt < limit) this.#doors.delete(name);
    }
  }
}
