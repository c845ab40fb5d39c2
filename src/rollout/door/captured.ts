import { CutoverError, nameOneOf } from "../../core/index.ts";
import { type AnyFunction, isThenable } from "./apart.ts";
import { copyValue, uncopied } from "./copy.ts";
import { type EffectContext, effectContext } from "./intents.ts";

/** A port in two hands. Give `old` to the code of the old side and `new` to that of the new side. */
export interface Captured<P extends object> {
  /** Acts, as the port itself; in a call that is shadowed it is noted what was done. */
  readonly old: P;
  /**
   * Acts in calls that a route answers by the new side, and only there. At stage `shadow` it acts never: what was asked
   * is noted and compared with what the old side did.
   */
  readonly new: P;
}

export interface CapturedOptions<P extends object> {
  /**
   * Answers for effects that the new side makes and the old side did not, by name; they must not act themselves. Without one
   * such an effect throws `CUTOVER_EFFECT_UNANSWERED` to the new side.
   */
  readonly answers?: Partial<P>;
}

const marks = new WeakSet<object>();

/** Is it what `captured` gave? */
export const isCaptured = (value: unknown): boolean =>
  typeof value === "object" && value !== null && marks.has(value);

/**
 * Makes it possible to shadow writes: both sides do their effects through one port, and while the new side is shadowed its
 * port writes nothing down but what it was asked for. Name the result in `captures` of the route.
 *
 * ```ts
 * const effects = captured({ insert: (row: Row) => db.insert(row), send: (mail: Mail) => mailer.send(mail) });
 * const submit = rollout.route("orders.submit", {
 *   old: legacySubmit(effects.old), new: submitWith(effects.new), key: (order) => order.id, captures: effects,
 * });
 * ```
 *
 * An effect is never made twice: outside of a routed call, also where the thread of calls is lost (a queue of its own, a
 * pool that calls back), the new side's hand refuses to act. Effects that go past the port are the user's to avoid:
 * nobody sees them, and a shadowed new side makes them.
 *
 * Methods are effects; they answer with values or promises (of a query object that begins when awaited the answer is not
 * known: make it `async (row) => await query(row)`, or declare an answer). Other members are read from the port itself and
 * cannot be set. One port for a route: effects are told apart by their names.
 *
 * @throws CUTOVER_ROUTE_INVALID when `port` is no object, or an answer has no effect of its name; when called as `new`:
 * CUTOVER_EFFECT_ASTRAY outside of a routed call, CUTOVER_EFFECT_UNANSWERED when nothing is known to answer
 */
export function captured<P extends object>(port: P, options: CapturedOptions<P> = {}): Captured<P> {
  check(port, options);
  const answers = (options.answers ?? {}) as Readonly<Record<string, AnyFunction | undefined>>;
  const both = { old: hand(port, "old", answers), new: hand(port, "new", answers) };
  marks.add(both);
  return both;
}

type Hand = "old" | "new";

function hand<P extends object>(
  port: P,
  side: Hand,
  answers: Readonly<Record<string, AnyFunction | undefined>>,
): P {
  const effects = new Map<string | symbol, AnyFunction>();
  const member = (name: string | symbol): unknown => {
    const found: unknown = Reflect.get(port, name, port);
    if (typeof found !== "function" || name === "constructor") return found;
    let effect = effects.get(name);
    if (effect === undefined) {
      const label = String(name);
      const declared = Object.hasOwn(answers, label) ? answers[label] : undefined;
      effect = (...args) => perform(port, name, label, side, declared, args);
      effects.set(name, effect);
    }
    return effect;
  };
  // A target of its own: of a frozen port a proxy would have to give the very functions that act.
  return new Proxy({} as P, {
    get: (_, name) => member(name),
    has: (_, name) => name in port,
    ownKeys: () => Reflect.ownKeys(port),
    getPrototypeOf: () => Reflect.getPrototypeOf(port),
    getOwnPropertyDescriptor: (_, name) => {
      const found = Reflect.getOwnPropertyDescriptor(port, name);
      if (found === undefined) return undefined;
      return {
        value: member(name),
        enumerable: found.enumerable ?? false,
        configurable: true,
        writable: false,
      };
    },
    // Setting a member of the port would be an effect that nobody sees.
    set: () => false,
    defineProperty: () => false,
    deleteProperty: () => false,
    setPrototypeOf: () => false,
    preventExtensions: () => false,
  });
}

function perform(
  port: object,
  name: string | symbol,
  effect: string,
  side: Hand,
  declared: AnyFunction | undefined,
  args: readonly unknown[],
): unknown {
  const context = effectContext.getStore();
  if (context?.kind === "capturing") return context.intents.capture(effect, args, declared);
  if (context === undefined && side === "new") {
    throw new CutoverError("CUTOVER_EFFECT_ASTRAY", {
      message: `expected effect ${effect} of the new side within a routed call, found it outside: it was not made`,
      details: { effect },
      place: `captured.${effect}`,
    });
  }
  // As it was asked, before it can be changed.
  const asked = context?.kind === "recording" ? copyOf(args) : args;
  let answer: unknown;
  try {
    answer = (Reflect.get(port, name, port) as AnyFunction).apply(port, args as unknown[]);
  } catch (error) {
    note(context, effect, asked, { ok: false, error });
    throw error;
  }
  if (context?.kind === "recording") {
    note(context, effect, asked, answerOf(answer));
  }
  return answer;
}

/** Undefined for a thenable that is no promise: many begin their work when `then` is called, and would do it twice. */
function answerOf(answer: unknown): Noted {
  if (answer instanceof Promise) {
    return answer.then(
      (value) => ({ ok: true as const, value: copyOf(value) }),
      (error: unknown) => ({ ok: false as const, error }),
    );
  }
  return isThenable(answer) ? undefined : { ok: true, value: copyOf(answer) };
}

type Noted = Parameters<Extract<EffectContext, { kind: "recording" }>["intents"]["record"]>[2];

/** Into the record of the call, and of calls around it. */
function note(
  context: EffectContext | undefined,
  effect: string,
  args: readonly unknown[],
  answer: Noted,
): void {
  for (let each = context; each?.kind === "recording"; each = each.around)
    each.intents.record(effect, args, answer);
}

/** What the route's own limit finds too large is refused there; this one only keeps an endless thing from being copied. */
const mostMembers = 1_000_000;

function copyOf<T>(value: T): T {
  const copied = copyValue(value, mostMembers);
  return copied === uncopied ? value : (copied as T);
}

function check(port: unknown, options: unknown): void {
  const refuse = (place: string, expected: string, remedy: string): never => {
    throw new CutoverError("CUTOVER_ROUTE_INVALID", {
      message: `expected ${place} of captured to be ${expected}`,
      place: `captured.${place}`,
      remedy,
    });
  };
  if (typeof port !== "object" || port === null)
    refuse("port", "an object whose methods are effects", "give { insert: (row) => …, send: (mail) => … }");
  if (isCaptured(port)) refuse("port", "a port of your own, found a captured one", "capture a port once");
  if (typeof options !== "object" || options === null)
    refuse("options", "an object", "give { answers: { … } } or leave it out");
  for (const name of Object.keys(options as object))
    if (name !== "answers")
      refuse(
        name.slice(0, 60),
        "left out: captured knows only answers",
        nameOneOf(name, ["answers"], "leave it out"),
      );
  const { answers = {} } = options as { readonly answers?: unknown };
  if (typeof answers !== "object" || answers === null)
    return refuse("answers", "an object of functions", "give { insert: (row) => … }");
  const methods = port as Readonly<Record<string, unknown>>;
  for (const [name, answer] of Object.entries(answers)) {
    if (typeof answer !== "function")
      refuse(
        `answers.${name.slice(0, 60)}`,
        "a function",
        "an answer is computed from the effect's arguments",
      );
    if (typeof methods[name] !== "function")
      refuse(
        `answers.${name.slice(0, 60)}`,
        "left out: the port has no such effect",
        nameOneOf(name, Object.keys(methods), "leave it out"),
      );
  }
}
