import type { Block } from "./block.ts";
import { splitClaim } from "./claims.ts";
import { readName } from "./heading.ts";
import type { Inline } from "./inline.ts";

/** An item with its own words apart from what stands below it. */
export interface ItemText {
  readonly inline: Inline;
  /** The words, on one line. */
  readonly text: string;
  readonly line: number;
  readonly endLine: number;
  readonly number?: string;
  readonly position: number;
  readonly ordered: boolean;
  /** Some item of its list holds a command that nothing brings back: the items around that one are no remarks. */
  readonly deleting: boolean;
  readonly rest: readonly Block[];
}

/** What an item names: its bold words, else what stands before brackets, a dash or a colon. */
export function nameOf({ inline, text }: Pick<ItemText, "inline" | "text">): string {
  const bare = splitClaim(text).title.replace(/^\[[ xX]\]\s*/, "");
  const bold = inline.lead?.bold ?? boldAfterMark(inline, bare);
  const name = bold ?? /^(.+?)(?:\s*[(（]|\s+[-–—]\s+|\s*[:：]\s|\s*[,，;]\s|$)/u.exec(bare)?.[1] ?? bare;
  const sense = readName(name.replace(/[:：]\s*$/u, "").trim());
  return sense.named && sense.role === "unit" ? sense.title : name.replace(/[:：]\s*$/u, "").trim();
}

/** `✅ **name** (0 days)`: the words up to the bracket are the name. */
function boldAfterMark(inline: Inline, bare: string): string | undefined {
  const [code] = inline.codes;
  return code !== undefined && bare.startsWith(code) ? code : undefined;
}
