/** A system that goes from state to state; small enough that all of its states can be looked at. */
export interface Model<State> {
  readonly initial: State;
  /** Two states with the same key are one: what follows from them is the same. */
  readonly key: (state: State) => string;
  /** Everything that can happen next. */
  readonly steps: (state: State) => Iterable<Step<State>>;
  /** What is wrong with a state. */
  readonly broken: (state: State) => string | undefined;
  /** Nothing is left to be done. */
  readonly finished: (state: State) => boolean;
}

export interface Step<State> {
  readonly name: string;
  readonly to: State;
  /** A crash, a failure, somebody's wish: it may happen, but nothing may depend on it. */
  readonly bad?: boolean;
  /** What is wrong with the step itself. */
  readonly broken?: string | undefined;
}

export interface Explored {
  readonly states: number;
  readonly steps: number;
  /** The shortest way to something wrong, with what is wrong as its last line. */
  readonly counterexample: readonly string[] | undefined;
}

interface Found<State> {
  readonly state: State;
  readonly parent: number;
  readonly name: string;
}

/**
 * Looks at every state that can be reached, breadth first, so that the first thing wrong is found on a shortest way.
 * Then asks of each state whether a finished one can be reached by good steps alone: if not, something is stuck.
 */
export function explore<State>(model: Model<State>, most = 2_000_000): Explored {
  const found: Found<State>[] = [{ state: model.initial, parent: -1, name: "" }];
  const known = new Map<string, number>([[model.key(model.initial), 0]]);
  const goodFrom: number[][] = [[]];
  const finished: number[] = [];
  let steps = 0;
  const wrong = (at: number, why: string, last?: string): Explored => ({
    states: found.length,
    steps,
    counterexample: [...wayTo(found, at), ...(last === undefined ? [] : [last]), why],
  });
  for (let at = 0; at < found.length; at++) {
    if (found.length > most) throw new Error(`more than ${most} states: the case is not small`);
    const { state } = found[at] as Found<State>;
    const why = model.broken(state);
    if (why !== undefined) return wrong(at, why);
    if (model.finished(state)) finished.push(at);
    for (const step of model.steps(state)) {
      steps++;
      if (step.broken !== undefined) return wrong(at, step.broken, step.name);
      const key = model.key(step.to);
      let to = known.get(key);
      if (to === undefined) {
        to = found.length;
        known.set(key, to);
        found.push({ state: step.to, parent: at, name: step.name });
        goodFrom.push([]);
      }
      if (step.bad !== true && to !== at) goodFrom[to]?.push(at);
    }
  }
  const stuck = firstStuck(goodFrom, finished);
  if (stuck !== undefined) return wrong(stuck, "stuck: no good step leads from here to a finish");
  return { states: found.length, steps, counterexample: undefined };
}

function wayTo<State>(found: readonly Found<State>[], at: number): readonly string[] {
  const way: string[] = [];
  for (let here = found[at]; here !== undefined && here.parent >= 0; here = found[here.parent]) {
    way.push(here.name);
  }
  return way.toReversed();
}

/** Goes back from all finished states. */
function firstStuck(
  goodFrom: readonly (readonly number[])[],
  finished: readonly number[],
): number | undefined {
  const reaches = new Uint8Array(goodFrom.length);
  const open = [...finished];
  for (const at of open) reaches[at] = 1;
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const from of goodFrom[at] ?? []) {
      if (reaches[from] === 1) continue;
      reaches[from] = 1;
      open.push(from);
    }
  }
  const stuck = reaches.indexOf(0);
  return stuck < 0 ? undefined : stuck;
}
