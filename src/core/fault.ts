/**
 * Named places where a crash would hurt most. In production a fault point is one comparison with
 * `undefined`; the `cutover/testing` door installs a handler that kills the process, throws or counts.
 * There is no option, flag or environment variable that reaches it.
 */
type FaultHandler = (name: string) => void;

let handler: FaultHandler | undefined;

/** Marks a named place. Names are `room.place`, e.g. `engine.step.before-result`. */
export function faultPoint(name: string): void {
  if (handler !== undefined) handler(name);
}

/** Installs the handler for all fault points of this process, or removes it. */
export function setFaultHandler(next: FaultHandler | undefined): void {
  handler = next;
}
