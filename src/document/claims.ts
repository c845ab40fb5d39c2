import type { Claim } from "./finding.ts";

const words: readonly (readonly [Claim["state"], string])[] = [
  [
    "done",
    "done|completed?|finished|shipped|merged|closed|erledigt|fertig|abgeschlossen|terminée?|faite?|achevée?|hecho|completad[oa]|terminad[oa]|feito|concluíd[oa]|fatto|completat[oa]|klaar|voltooid|gotowe|zrobione|ukończon[ey]|готово|выполнено|сделано|завершено|完成|已完成|完了|済|완료",
  ],
  [
    "in-progress",
    "in progress|wip|ongoing|started|active|you are here|current|in arbeit|läuft|begonnen|en cours|en curso|em andamento|in corso|bezig|w toku|в работе|в процессе|进行中|進行中|作業中|진행\\s?중",
  ],
  [
    "next",
    "next|up next|als nächstes|suivante?|siguiente|próxim[oa]|prossim[oa]|volgende|następn[ey]|следующ\\p{L}+|下一步|次|다음",
  ],
  [
    "failed",
    "failed|broken|fehlgeschlagen|gescheitert|échoué|fallid[oa]|falhou|fallito|mislukt|nieudane|провалено|失败|失敗|실패",
  ],
  [
    "open",
    "open|pending|to ?do|not started|planned|blocked|offen|geplant|ausstehend|à faire|prévue?|pendiente|planificad[oa]|pendente|planejad[oa]|da fare|in attesa|gepland|do zrobienia|zaplanowan[ey]|открыто|не начато|запланировано|ожидает|未开始|待办|计划|未着手|予定|未完了|예정|대기",
  ],
];

const states = words.map(([state, list]) => ({
  state,
  whole: new RegExp(`^(?:${list})(?![\\p{L}])`, "iu"),
  shout: new RegExp(`(?<![\\p{L}])(?:${list})(?![\\p{L}])`, "iu"),
}));

const marks: Readonly<Record<string, Claim["state"]>> = {
  "✅": "done",
  "☑": "done",
  "✔": "done",
  "✓": "done",
  "🟢": "done",
  "❌": "failed",
  "✗": "failed",
  "✘": "failed",
  "🚧": "in-progress",
  "🔄": "in-progress",
  "⏳": "in-progress",
  "🟡": "in-progress",
  "⬜": "open",
  "🔲": "open",
  "☐": "open",
  "⏸": "open",
  "📋": "open",
};
const mark = /[✅☑✔✓🟢❌✗✘🚧🔄⏳🟡⬜🔲☐⏸📋]/u;
const trailing =
  /\s*[-–—:|]?\s*(?:([✅☑✔✓🟢❌✗✘🚧🔄⏳🟡⬜🔲☐⏸]\uFE0F?\s*[^✅❌.]{0,40})|(?:[←→]|<-)\s*([^←→]{1,30}?)|[([]([^()[\]]{2,25})[)\]])\s*$/u;

/** A column named "Done?" is answered. */
const answers: readonly { readonly state: Claim["state"]; readonly word: RegExp }[] = [
  { state: "done", word: /^(?:yes|ja|oui|sí|si|sim|sì|tak|да|是|はい|예)$/iu },
  { state: "open", word: /^(?:no|not yet|nein|non|não|nee|nie|нет|否|いいえ|아니오)$/iu },
];

/** What a short text says about a state when a state is what it is asked for: a cell of a column, the value of `Status:`. */
export function statusOf(text: string): Claim | undefined {
  const bare = text.trim();
  const sign = mark.exec(bare)?.[0];
  const state =
    sign === undefined
      ? (states.find(({ whole }) => whole.test(bare))?.state ??
        answers.find(({ word }) => word.test(bare))?.state)
      : marks[sign];
  return state === undefined ? undefined : { state, text: bare };
}

/**
 * A claim at the end of a title or at the head of an item, and the title without it. Plain words inside a sentence are no
 * claim: it takes a mark, an arrow, brackets or a dash with capitals.
 */
export function splitClaim(text: string): { readonly title: string; readonly claim?: Claim } {
  const head = /^([✅☑✔✓🟢❌✗✘🚧🔄⏳🟡⬜🔲☐⏸])\uFE0F?\s*/u.exec(text);
  const rest = head === null ? text : text.slice(head[0].length);
  const tail = trailing.exec(rest);
  if (tail !== null && tail.index > 0) {
    const [whole, marked, pointed, inner] = tail;
    const sign = marked === undefined ? undefined : marks[mark.exec(marked)?.[0] ?? ""];
    const said = pointed ?? inner;
    const state =
      sign ?? (said === undefined ? undefined : states.find(({ whole: form }) => form.test(said))?.state);
    if (state !== undefined)
      return { title: rest.slice(0, tail.index).trim(), claim: { state, text: whole.trim() } };
  }
  const dashed = /\s+[-–—:]\s+([\p{Lu}][\p{Lu}\s]{2,20})(?:\s+BY\s+\S+)?!?\s*$/u.exec(rest);
  const shouted =
    dashed === null ? undefined : states.find(({ whole }) => whole.test(dashed[1] ?? ""))?.state;
  if (dashed !== null && shouted !== undefined)
    return {
      title: rest.slice(0, dashed.index).trim(),
      claim: { state: shouted, text: dashed[0].replace(/^\s*[-–—:]\s*/, "") },
    };
  if (head === null) return { title: text };
  return { title: rest.trim(), claim: { state: marks[head[1] ?? ""] ?? "open", text: head[1] ?? "" } };
}
