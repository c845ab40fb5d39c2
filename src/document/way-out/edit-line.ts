import { splitClaim, statusOf } from "../claims.ts";
import { isShown, type LineState, minute, wordsOf } from "./record.ts";

/** How a line is written anew. */
export interface Pen {
  /** Words that lead to the events: `([event 12](#event-12))`; empty without any. */
  readonly proof: (events: readonly number[]) => string;
  /** Words from the record, made harmless for this notation. */
  readonly plain: (text: string) => string;
}

const box = /^(\s*(?:>\s*)*(?:(?:[-*+]|\d+[.)])\s+)?)\[([ xX✓✔-]?)\](?=\s|$)/u;
const sign = /^(\s*(?:>\s*)*(?:(?:[-*+]|\d+[.)])\s+)?)([☐☑☒✅❌✔✓✗✘🔲⬜🟩])\uFE0F?(?=\s)/u;
const status =
  /^(\s*(?:>\s*)*(?:[-*+]\s+)?(?:\*\*|__)?(?:Status|State|Zustand|Stand|État|Etat|Statut|Estado|Stato|Staat|Stan|Статус|Состояние|状态|狀態|ステータス|状態|상태)\s*(?:\*\*|__)?\s*[:：]\s*(?:\*\*|__)?)(.*)$/iu;

/** `state` undefined: the plan says something of it and the record nothing, which shows it open. */
export function editItem(line: string, state: LineState | undefined, pen: Pen): string {
  const claimed = claimOf(line);
  const shown = state !== undefined && isShown(state);
  const boxed = box.exec(line);
  const signed = boxed === null ? sign.exec(line) : null;
  let text = line;
  if (boxed !== null) text = `${boxed[1] ?? ""}[${shown ? "x" : " "}]${line.slice(boxed[0].length)}`;
  else if (signed !== null) text = `${signed[1] ?? ""}${shown ? "✅" : "☐"}${line.slice(signed[0].length)}`;
  const bare = boxed === null && signed === null ? withoutClaim(text) : text;
  const said = claimed === undefined ? "" : `, the plan said ${JSON.stringify(claimed)}`;
  if (state === undefined)
    return claimed === undefined ? bare : `${bare} — open: nothing in the record shows it${pen.plain(said)}`;
  return `${bare} — ${pen.plain(wordsOf(state))}${shown ? "" : pen.plain(said)}${pen.proof(state.events)}`;
}

/** What the line itself claims: a tick, a mark, `DONE`. Open boxes claim nothing. */
export function claimOf(line: string): string | undefined {
  const boxed = box.exec(line);
  if (boxed !== null) return /[xX✓✔]/u.test(boxed[2] ?? "") ? `[${boxed[2] ?? ""}]` : undefined;
  const signed = sign.exec(line);
  if (signed !== null) return /[☑✅✔✓🟩]/u.test(signed[2] ?? "") ? signed[2] : undefined;
  const { claim } = splitClaim(plainOf(line));
  return claim === undefined || claim.state === "open" ? undefined : claim.text;
}

const plainOf = (line: string): string =>
  line
    .replace(/^\s*(?:>\s*)*(?:#{1,6}\s+|[-*+]\s+|\d+[.)]\s+)?/u, "")
    .replace(/[*_`]/g, "")
    .trim();

/** The line without the mark or words that claim something; its markup stays. */
function withoutClaim(line: string): string {
  const { claim } = splitClaim(plainOf(line));
  if (claim === undefined) return line.trimEnd();
  const at = line.lastIndexOf(claim.text);
  const cut = at === -1 ? line : `${line.slice(0, at)}${line.slice(at + claim.text.length)}`;
  // A mark may stand at the head while the words stand at the end.
  const head = cut.replace(
    /^(\s*(?:>\s*)*(?:#{1,6}\s+|[-*+]\s+|\d+[.)]\s+)?(?:\*\*)?)[✅☑✔✓🟢🚧🔄⏳🟡⬜🔲☐⏸❌✗✘]\uFE0F?\s*/u,
    "$1",
  );
  return head.replace(/\s*[-–—:←→]?\s*$/u, "").trimEnd();
}

/** `**Status:** ✅ Complete` becomes what the record says; a line that is no status gives undefined. */
export function editStatus(line: string, state: LineState | undefined, pen: Pen): string | undefined {
  const found = status.exec(line);
  if (found === null || statusOf((found[2] ?? "").replace(/[*_`]/g, "").trim()) === undefined)
    return undefined;
  const was = (found[2] ?? "").replace(/[*_`]/g, "").trim();
  const words = state === undefined ? "open: nothing in the record shows it" : wordsOf(state);
  const said = state !== undefined && isShown(state) ? "" : `, the plan said ${JSON.stringify(was)}`;
  return `${found[1] ?? ""}${(found[1] ?? "").endsWith(" ") ? "" : " "}${pen.plain(words + said)}${pen.proof(state?.events ?? [])}`;
}

const statusHead =
  /^(?:status|state|done\??|progress|zustand|stand|fortschritt|état|etat|statut|estado|stato|staat|voortgang|stan|статус|состояние|готово|状态|狀態|进度|ステータス|状態|進捗|상태)$/iu;
const actualHead = /\b(?:actual|ist)\b|réel|real\b|effettiv|werkelijk|rzeczywist|факт|实际|實際|実績|실제/iu;

/** A row of a table: its status cell, an actual-date cell where there is one, else its last cell. */
export function editRow(line: string, header: string, state: LineState | undefined, pen: Pen): string {
  const cells = cellsOf(line);
  const heads = cellsOf(header).map((cell) => cell.trim().replace(/[*_`]/g, ""));
  const at = heads.findIndex((head) => statusHead.test(head));
  const actual = heads.findIndex((head) => actualHead.test(head));
  const was = at === -1 ? "" : (cells[at] ?? "").trim();
  const words = state === undefined ? "open: nothing in the record shows it" : wordsOf(state);
  const claims =
    at !== -1 &&
    was !== "" &&
    !/^[-–—]?$/u.test(was) &&
    statusOf(was.replace(/[*_`]/g, ""))?.state !== "open";
  const said =
    claims && !(state !== undefined && isShown(state)) ? `, the plan said ${JSON.stringify(was)}` : "";
  const told = `${pen.plain(words + said)}${pen.proof(state?.events ?? [])}`;
  if (actual !== -1 && actual !== at && state?.startedAt !== null && state !== undefined)
    cells[actual] =
      ` ${minute(state.startedAt)}${state.endedAt === null ? "" : ` – ${minute(state.endedAt)}`} `;
  if (at !== -1) cells[at] = ` ${told} `;
  else if (state !== undefined) {
    const last = cells.length - 1;
    cells[last] = `${(cells[last] ?? "").trimEnd()} — ${told} `;
  }
  const lead = /^\s*\|/.exec(line)?.[0] ?? "";
  return `${lead}${cells.join("|")}${/\|\s*$/.test(line) ? "|" : ""}`;
}

/** Cells between bars; a bar behind a backslash is text. */
export const cellsOf = (line: string): string[] =>
  line
    .trim()
    .replace(/^\||(?<!\\)\|$/g, "")
    .split(/(?<!\\)\|/);
