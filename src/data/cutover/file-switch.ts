import { watch } from "node:fs";
import { link, mkdir, mkdtemp, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { type Clock, CutoverError, faultPoint, systemClock } from "../../core/index.ts";
import { refuseOptions } from "../capture-options.ts";
import { storeError } from "../connectors/place.ts";
import { Bell } from "../move/bell.ts";
import { damaged, type Decision, fileOf, numberOf, readDecision, writeDecision } from "./decision-file.ts";
import type { Standing, Switch } from "./switch.ts";
import { checkStanding, firstStanding, isDecision } from "./turn-law.ts";

export interface FileSwitchOptions {
  /**
   * Makes the folder when there is none. Default false: an application that names another folder than the migration would
   * wait for turns that never come, and give back a side that is not its to give.
   */
  readonly create?: boolean;
  /** Who decides, for the record of a turn: `"orders, pod 7"`. Default: it is not said. */
  readonly by?: string;
  readonly clock?: Clock;
}

/** How often the folder is looked at apart from what the operating system tells. */
const pollMs = 100;
/** What a killed turn left behind is removed after this time. */
const leftoverMs = 60_000;
const beginning = ".turn-";

/** The last decision in the folder. */
interface Last {
  /** 0: nothing was decided yet. */
  readonly number: number;
  readonly standing: Standing;
}

/** A switch in a folder; see `fileSwitch`. */
export class FileSwitch implements Switch {
  readonly name: string;
  readonly #folder: string;
  readonly #create: boolean;
  readonly #by: string | undefined;
  readonly #clock: Clock;
  #made = false;
  /** What was read last, and is on disk with its name. */
  #last: Last = { number: 0, standing: firstStanding };

  constructor(folder: string, options: FileSwitchOptions = {}) {
    const { create = false, by, clock = systemClock, ...unknown } = options;
    refuseOptions("fileSwitch", unknown);
    if (typeof folder !== "string" || folder === "")
      throw new CutoverError("CUTOVER_DATA_ADDRESS", {
        message: `expected the folder of the switch, found ${JSON.stringify(folder) ?? "nothing"}`,
        remedy: "name the folder that the migration and all applications share",
      });
    this.#folder = resolve(folder);
    this.name = `switch:${folder}`;
    this.#create = create;
    this.#by = by;
    this.#clock = clock;
  }

  async read(): Promise<Standing> {
    return (await this.#newest()).standing;
  }

  /** Every decision, the first one first. For people and reports. @throws CUTOVER_DATA_FORMAT when one is missing */
  async history(): Promise<readonly Decision[]> {
    const { number } = await this.#newest();
    const found: Decision[] = [];
    for (let each = 1; each <= number; each++) {
      const decision = await this.#decision(each);
      if (decision === undefined) throw damaged(this.#path(each), "a decision", "no file");
      found.push(decision);
    }
    return found;
  }

  async turn(to: Standing): Promise<void> {
    checkStanding(to, this.name);
    for (;;) {
      const { number, standing } = await this.#newest();
      if (!isDecision(standing, to, this.name)) return;
      if (await this.#told(() => this.#append(number + 1, to))) {
        faultPoint("data.switch.turned");
        return;
      }
    }
  }

  async *follow(options: { readonly signal: AbortSignal }): AsyncGenerator<Standing, void, void> {
    const { signal, ...unknown } = options;
    refuseOptions("follow", unknown);
    const bell = new Bell();
    const ring = (): void => bell.ring();
    signal.addEventListener("abort", ring);
    const unwatch = await this.#watched(ring);
    try {
      for (let told: Standing | undefined; !signal.aborted;) {
        const standing = await this.read();
        if (standing.epoch !== told?.epoch) {
          told = standing;
          yield standing;
          continue;
        }
        const poll = this.#clock.after(pollMs, ring);
        poll.unref();
        await bell.heard();
        poll.cancel();
      }
    } finally {
      unwatch();
      signal.removeEventListener("abort", ring);
    }
  }

  /** The newest decision, on disk with its name: who acts on one that a power failure takes back acts on nothing. */
  #newest(): Promise<Last> {
    return this.#told(async () => {
      await this.#ensure();
      const known = this.#last;
      const names = await readdir(this.#folder);
      let { number } = known;
      for (const name of names) number = Math.max(number, this.#checked(name));
      if (known.number > 0 && !names.includes(fileOf(known.number)))
        throw damaged(this.#path(known.number), "a decision that was here before", "no file");
      // A folder that is read while it changes may miss the newest names.
      let newest: Decision | undefined = undefined;
      for (let next = Math.max(number, known.number + 1); ; next++) {
        const found = await this.#decision(next);
        if (found === undefined) break;
        newest = found;
        number = next;
      }
      if (newest === undefined) return known;
      await syncFolder(this.#folder);
      // Another read of this process may have been faster.
      if (number > this.#last.number)
        this.#last = { number, standing: { side: newest.side, epoch: newest.epoch } };
      return this.#last;
    });
  }

  /** The number in a name; 0 for what a turn is just writing. @throws CUTOVER_DATA_FORMAT for a stranger's file */
  #checked(name: string): number {
    if (name.startsWith(".")) return 0;
    const number = numberOf(name);
    if (number !== undefined) return number;
    throw new CutoverError("CUTOVER_DATA_FORMAT", {
      message: `expected a folder that holds nothing but the decisions of a switch (${fileOf(1)}, …), found "${name}"`,
      place: join(this.#folder, name),
      remedy: "give the switch a folder of its own",
    });
  }

  async #decision(number: number): Promise<Decision | undefined> {
    const path = this.#path(number);
    try {
      return readDecision(await readFile(path, "utf8"), number, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  /**
   * Writes the decision whole and on disk, then gives it its name. A name is given once, whoever tries: `link` fails where
   * there is one. False: somebody else was first.
   */
  async #append(number: number, to: Standing): Promise<boolean> {
    await this.#sweep();
    const scratch = await mkdtemp(join(this.#folder, beginning));
    try {
      const file = join(scratch, fileOf(number));
      await using handle = await open(file, "wx");
      const by = this.#by === undefined ? {} : { by: this.#by };
      await handle.writeFile(writeDecision(number, { ...to, at: this.#clock.now(), ...by }));
      await handle.sync();
      faultPoint("data.switch.before-link");
      try {
        await link(file, this.#path(number));
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        // ENOENT: this process stood still for so long that its file was taken for a leftover.
        if (code === "EEXIST" || code === "ENOENT") return false;
        throw code === "EPERM" || code === "ENOTSUP" || code === "ENOSYS" ? noLinks(this.name, error) : error;
      }
      faultPoint("data.switch.linked");
      await syncFolder(this.#folder);
      return true;
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  async #sweep(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (!name.startsWith(beginning)) continue;
      const path = join(this.#folder, name);
      const age = await stat(path).then(
        ({ mtimeMs }) => this.#clock.now() - mtimeMs,
        () => 0,
      );
      if (age > leftoverMs) await rm(path, { recursive: true, force: true });
    }
  }

  async #ensure(): Promise<void> {
    if (this.#made || !this.#create) return;
    await mkdir(this.#folder, { recursive: true });
    await syncFolder(dirname(this.#folder));
    this.#made = true;
  }

  /** Calls `ring` when the operating system tells of a change; the poll finds it as well where it does not. */
  async #watched(ring: () => void): Promise<() => void> {
    await this.#told(() => this.#ensure());
    try {
      const watcher = watch(this.#folder, { persistent: false }, ring);
      watcher.on("error", () => watcher.close());
      return () => watcher.close();
    } catch {
      return () => {};
    }
  }

  #path(number: number): string {
    return join(this.#folder, fileOf(number));
  }

  async #told<T>(body: () => Promise<T>): Promise<T> {
    try {
      return await body();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT")
        throw new CutoverError("CUTOVER_DATA_MISSING", {
          message: `expected the folder of a switch at ${this.#folder}, found nothing there`,
          place: this.name,
          remedy: "name the folder the migration turns; whoever is to make it says `create: true`",
          cause: error,
        });
      if (code === "ENOTDIR" || code === "EEXIST")
        throw new CutoverError("CUTOVER_DATA_FORMAT", {
          message: `expected the folder of a switch at ${this.#folder}, found a file`,
          place: this.name,
          remedy: "give the switch a folder of its own",
          cause: error,
        });
      throw storeError(error, this.name);
    }
  }
}

function noLinks(place: string, cause: unknown): CutoverError {
  return new CutoverError("CUTOVER_DATA_IO", {
    message:
      "expected a file system with hard links, by which exactly one of many can give a file its name; found one without",
    place,
    remedy: "put the switch on a local disk",
    cause,
  });
}

/** A name is on disk when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, "r");
  await handle.sync();
}

/**
 * A switch in a folder, for a migration and applications on one machine: each decision is a file (`00000001.json`, …) that
 * is written whole and then given its name, which only one can do. So each epoch is decided once, over processes, crashes and
 * power failures, and the history stays to be read. A turn is seen by others within milliseconds where the operating
 * system tells of changes, else within 100 ms.
 * @throws CUTOVER_DATA_ADDRESS for a folder without a name; its calls: CUTOVER_DATA_MISSING, CUTOVER_DATA_FORMAT for a
 * damaged or foreign file, CUTOVER_DATA_DENIED, CUTOVER_DATA_FULL, CUTOVER_DATA_IO
 *
 * @example
 * const orders = fileSwitch("data/orders-switch", { create: true, by: "orders" });
 * await orders.read(); // { side: "old", epoch: 0 }
 */
export function fileSwitch(folder: string, options: FileSwitchOptions = {}): FileSwitch {
  return new FileSwitch(folder, options);
}
