import { fileSwitch } from "../cutover/file-switch.ts";
import type { Switch } from "../cutover/switch.ts";
import type { StepContext } from "../../plan/index.ts";
import type { SwitchRef } from "./crossing-input.ts";
import type { Problems } from "./step-input.ts";

const scheme = "file:";
const expected = "the address of a switch or { name, open }";
const remedy = 'write an address such as "file:data/orders-switch", or { name: "orders", open: () => … }';

/** Everything wrong with it, found without opening it. */
export function checkSwitch(found: Problems, ref: unknown): void {
  if (typeof ref === "string") {
    if (!ref.startsWith(scheme) || ref === scheme) found.add("switch", expected, ref, remedy);
    return;
  }
  if (typeof ref !== "object" || ref === null || Array.isArray(ref)) {
    found.add("switch", expected, ref, remedy);
    return;
  }
  const { name, open, ...unknown } = ref as Partial<Exclude<SwitchRef, string>>;
  if (typeof name !== "string" || name.trim() === "" || name.length > 100)
    found.add("switch.name", "a name of 1 to 100 characters", name, "name it for people and records");
  if (typeof open !== "function") found.add("switch.open", "a function that opens the switch", open, remedy);
  for (const key of Object.keys(unknown))
    found.add(`switch.${key}`, "left out", key, `remove "${key}": it would do nothing`);
}

export function switchName(ref: SwitchRef): string {
  if (typeof ref === "string") return `switch:${ref.slice(scheme.length)}`;
  return typeof ref?.name === "string" ? ref.name : "a switch";
}

/** Source text for the definition's hash. */
export const switchText = (ref: SwitchRef): string =>
  typeof ref === "string" ? ref : `${switchName(ref)} ${String(ref?.open)}`;

/** The folder is made where it is not there: the migration is what it belongs to. */
export async function openSwitch(
  ref: SwitchRef,
  { clock, runId, migration }: Pick<StepContext, "clock" | "runId" | "migration">,
): Promise<Switch> {
  if (typeof ref !== "string") return await ref.open();
  const by = `migration ${migration}, run ${runId}`;
  return fileSwitch(ref.slice(scheme.length), { create: true, by, clock });
}

/** Undefined while nobody made it. */
export function switchToLook(ref: SwitchRef): Promise<Switch | undefined> {
  if (typeof ref !== "string") return Promise.resolve(undefined);
  return Promise.resolve(fileSwitch(ref.slice(scheme.length)));
}
