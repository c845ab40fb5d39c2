import type { Socket } from "node:net";
import { CutoverError, type Timer } from "../../core/index.ts";
import { CallLine } from "./call-line.ts";
import { decodeHello, encodeError, encodeWelcome, operationIn } from "./calls.ts";
import { FrameReader, framesOf, type FrameType, type Message } from "./frames.ts";
import { HeldSnapshots } from "./held-snapshots.ts";
import { Outbox } from "./outbox.ts";
import { damaged, Unpacker } from "./packing.ts";
import { ServedCall } from "./served-call.ts";
import { type CallSetting, handlings } from "./served-calls.ts";
import { chosenStore, type ServedStore, type Serving } from "./served-store.ts";

/** Scans, logs and fences of one connection: they take as long as they like, so they stand in no line. */
const longAtOnce = 64;
/** Before its greeting a connection is given this long, and this many bytes. */
const greetingMs = 5_000;
const greetingBytes = 4_096;
/** A client that looks at the size of a call before it is made may be wrong by this much. */
const guessBytes = 1_048_576;
/** A client that says nothing for this long is asked; after four times as long its connection is ended. */
const askAfterMs = 15_000;

/** One client of a door: what it asked for, what it holds, and how all of it is let go of when it ends. */
export class ServedConnection {
  readonly #socket: Socket;
  readonly #serving: Serving;
  readonly #outbox: Outbox;
  readonly #frames: FrameReader;
  readonly #snapshots: HeldSnapshots;
  readonly #line = new CallLine();
  readonly #calls = new Map<number, ServedCall>();
  readonly #running = new Set<Promise<void>>();
  readonly #ended = Promise.withResolvers<void>();
  #served: ServedStore | undefined;
  #long = 0;
  #heardAt: number;
  /** Nothing more is taken. */
  #over = false;
  #timer: Timer;

  constructor(socket: Socket, serving: Serving) {
    const { place, clock, largestCall } = serving;
    this.#socket = socket;
    this.#serving = serving;
    this.#outbox = new Outbox(socket);
    this.#frames = new FrameReader(place, largestCall + guessBytes);
    this.#snapshots = new HeldSnapshots(place);
    this.#heardAt = clock.monotonic();
    this.#timer = clock.after(greetingMs, () =>
      this.refuse(damaged(place, `no greeting within ${greetingMs / 1_000} s`)),
    );
    socket.on("data", (chunk: Buffer) => this.#hear(chunk));
    // "close" follows, and lets go of everything.
    socket.on("error", () => {});
    socket.on("end", () => socket.destroy());
    socket.once("close", () => void this.#close());
  }

  /** Resolves when the client is gone and all that it held was let go of. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Says why, and ends the connection. */
  refuse(error: CutoverError): void {
    if (this.#socket.destroyed) return;
    this.#over = true;
    const { log, place } = this.#serving;
    log.warn("a connection to the data door was refused", { code: error.code, why: error.message });
    for (const part of framesOf("error", 0, encodeError(error, place))) this.#socket.write(part);
    this.#socket.destroySoon();
  }

  /** Ends it from this side: what runs is answered as far as `withinMs` allows, what waits is told why. */
  async end(why: CutoverError, withinMs: number): Promise<void> {
    this.#over = true;
    this.#line.close();
    for (const call of this.#calls.values()) call.end(why);
    const late = Promise.withResolvers<void>();
    const timer = this.#serving.clock.after(withinMs, late.resolve);
    await Promise.race([Promise.all(this.#running).then(() => this.#outbox.emptied()), late.promise]);
    this.#socket.destroySoon();
    await Promise.race([this.ended, late.promise]);
    this.#socket.destroy();
    timer.cancel();
  }

  #hear(chunk: Buffer): void {
    this.#heardAt = this.#serving.clock.monotonic();
    if (this.#over) return;
    try {
      for (const message of this.#frames.read(chunk)) {
        if (this.#served === undefined) this.#greet(message);
        else this.#take(message, this.#served);
      }
    } catch (error) {
      this.refuse(error as CutoverError);
    }
    if (this.#line.isFull) this.#socket.pause();
  }

  #greet({ type, payload }: Message): void {
    const { place, largestCall } = this.#serving;
    if (type !== "hello" || payload.length > greetingBytes) throw damaged(place, "no greeting");
    const served = chosenStore(this.#serving, decodeHello(new Unpacker(payload, place), place));
    this.#served = served;
    this.#timer.cancel();
    this.#ask();
    const { name, store } = served;
    const snapshot = store.snapshot !== undefined;
    const retained = store.retained !== undefined;
    void this.#send("welcome", 0, encodeWelcome({ store: name, snapshot, retained, largestCall }));
  }

  #take({ type, call, payload }: Message, served: ServedStore): void {
    const { place } = this.#serving;
    if (type === "call") this.#begin(call, payload, served);
    else if (type === "credit") this.#calls.get(call)?.allow(new Unpacker(payload, place).word());
    else if (type === "cancel") this.#calls.get(call)?.cancel();
    else if (type !== "pong") throw damaged(place, `a message "${type}" in the wrong place`);
  }

  #begin(number: number, payload: Buffer, served: ServedStore): void {
    const { place } = this.#serving;
    if (number === 0 || this.#calls.has(number)) throw damaged(place, `call ${number} a second time`);
    const input = new Unpacker(payload, place);
    const operation = operationIn(input, place);
    const { waits = false } = handlings[operation];
    const streams = operation === "scan" || operation === "log";
    const call = new ServedCall(streams ? input.word() : Number.POSITIVE_INFINITY);
    this.#calls.set(number, call);
    const setting: CallSetting = {
      input,
      serving: this.#serving,
      served,
      signal: call.signal,
      snapshots: this.#snapshots,
      part: (part) => this.#part(number, call, part),
    };
    const start = (): Promise<void> => this.#run(number, call, () => this.#handle(operation, call, setting));
    if (!waits) return this.#line.add(payload.length, start);
    if (this.#long >= longAtOnce) call.end(tooMany(place));
    this.#long++;
    void start().then(() => this.#long--);
  }

  async #handle(
    operation: keyof typeof handlings,
    call: ServedCall,
    setting: CallSetting,
  ): Promise<Uint8Array> {
    const { writes = false, run } = handlings[operation];
    if (writes) await setting.served.afterThoseLeft();
    call.signal.throwIfAborted();
    const done = run(setting);
    if (writes) call.writing = done;
    return done;
  }

  #run(number: number, call: ServedCall, body: () => Promise<Uint8Array>): Promise<void> {
    const work = this.#answer(number, call, body);
    this.#running.add(work);
    return work.then(() => {
      this.#running.delete(work);
      if (this.#socket.isPaused() && !this.#line.isFull) this.#socket.resume();
    });
  }

  async #answer(number: number, call: ServedCall, body: () => Promise<Uint8Array>): Promise<void> {
    let type: FrameType = "result";
    let payload: Uint8Array;
    try {
      // A cancel that lies right behind its call comes before the call begins.
      await Promise.resolve();
      payload = await body();
    } catch (error) {
      type = "error";
      payload = encodeError(call.why ?? error, this.#served?.called ?? this.#serving.place);
    }
    this.#calls.delete(number);
    await this.#send(type, number, payload);
  }

  async #part(number: number, call: ServedCall, part: Uint8Array): Promise<void> {
    await call.room();
    call.spend(part.length);
    await this.#send("part", number, part);
    // Between two parts the application gets its turn.
    await new Promise((resolve) => setImmediate(resolve));
    call.signal.throwIfAborted();
  }

  /** What is sent to a client that is gone is nobody's loss: its calls are ended by `#close`. */
  #send(type: FrameType, call: number, payload: Uint8Array): Promise<void> {
    return this.#outbox.send(framesOf(type, call, payload)).catch(() => {});
  }

  /** Asks a client that is silent whether it is there: one that hangs would hold its snapshots for ever. */
  #ask(): void {
    const { clock, log } = this.#serving;
    this.#timer = clock.after(askAfterMs, () => {
      const silent = clock.monotonic() - this.#heardAt;
      if (silent >= 4 * askAfterMs && !this.#socket.isPaused()) {
        log.warn("a client of the data door does not answer and was let go", {
          silentMs: Math.round(silent),
        });
        this.#socket.destroy();
        return;
      }
      if (silent >= askAfterMs) void this.#send("ping", 0, Buffer.alloc(0));
      this.#ask();
    });
    this.#timer.unref();
  }

  async #close(): Promise<void> {
    this.#over = true;
    this.#timer.cancel();
    this.#outbox.close();
    this.#line.close();
    const gone = new CutoverError("CUTOVER_DATA_CLOSED", {
      message: "expected the client of the data door to be there, found its connection ended",
      place: this.#serving.place,
    });
    for (const call of this.#calls.values()) {
      if (call.writing !== undefined) this.#served?.leave(call.writing);
      call.end(gone);
    }
    await Promise.all(this.#running);
    await this.#snapshots.endAll();
    this.#ended.resolve();
  }
}

function tooMany(place: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_UNAVAILABLE", {
    message: `expected at most ${longAtOnce} scans, logs and fences of one connection at a time, found more`,
    place,
    remedy: "end some of them, or open the store again for the others",
  });
}
