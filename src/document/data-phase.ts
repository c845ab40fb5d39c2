import type { DataTree } from "./data-tree.ts";
import { wordsOf } from "./data-names.ts";
import type { Context } from "./draft.ts";
import { tellMentioned } from "./read-commands.ts";
import type { Reading } from "./reading.ts";

const gone =
  /^(?:irreversible|forward ?only|one ?way|destructive|point of no return|unumkehrbar|irréversible|irreversible|необратимо|不可逆)$/iu;
const approved =
  /^(?:approvals?|approvers?|approved by|approval required|requires approval|sign ?off|signed off by|freigabe|abnahme|validation par|aprobación|одобрение|审批|承認)$/iu;

/** Keys of a phase that say there is no way back (`irreversible: true`), or who has to agree (`approval: cto`). */
export function tellPhaseKeys(reading: Reading, tree: DataTree, context: Context, first: number): void {
  const { phase } = context;
  if (phase === undefined || tree.shape !== "map") return;
  for (const { key = "", value, written, shape, from } of tree.children) {
    if (shape !== "scalar") continue;
    const label = wordsOf(key);
    const text = `${key}: ${written}`;
    if (value === true && gone.test(label)) phase.wayBack = { text, forwardOnly: true };
    if (!approved.test(label) || value === false || value === null || written === "") continue;
    const said = { text, line: first + from, sureness: "certain", why: "a key of a phase" } as const;
    reading.draft.add("roles", "role", said, context, {
      name: value === true ? key : written,
      duty: `approval of "${phase.title}"`,
    });
  }
}

/** The command of an item such as `run: ./copy.sh`; false when it names none that is known. */
export function tellCommandItem(reading: Reading, tree: DataTree, context: Context, line: number): boolean {
  const [only, ...more] = tree.shape === "map" ? tree.children : [];
  if (only === undefined || more.length > 0 || only.shape !== "scalar") return false;
  if (!/^(?:run|command|cmd|exec|shell|script|bash|sh)$/iu.test(only.key ?? "")) return false;
  return tellMentioned(reading, [only.written], line, context).length > 0;
}
