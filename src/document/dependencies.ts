import { slug } from "./draft.ts";

const verbs =
  "depends? (?:up)?on|dependent on|dependencies|dependency|requires?|needs|blocked by|waits for|hängt (?:ab )?von|abhängig von|abhängigkeiten?|benötigt|braucht|dépend(?:ent)? (?:de|du|des)|dépendances?|nécessite|depende[n]? de[l]?|dependencias?|requiere|dependências?|requer|dipende (?:da|dal|dalla)|dipendenz[ae]|richiede|afhankelijk van|afhankelijkheden|vereist|zależy od|zależności|wymaga|зависит от|зависимости|требует|依赖于?|依賴|前置|依存(?:先)?|의존";
const free = new RegExp(`(?:^|[^\\p{L}])(?:${verbs})\\s*[:：]?\\s*(.+)$`, "iu");
const inBrackets = new RegExp(
  `^\\s*(?:${verbs}|after|nach|après|tras|después de|após|dopo|na|po|после|在)\\s*[:：]?\\s*(.+?)(?:之后|后)?$`,
  "iu",
);
const japanese = /^(.+?)に依存/u;
const none =
  /\b(?:no|without|zero)\s+(?:\w+\s+)?dependenc|keine abhängig|ohne abhängig|(?:sans|aucune) dépendance|(?:sin|sem) depend|senza dipendenz|geen afhankelijk|brak zależności|(?:без|нет) зависимост|无依赖|無依賴|没有依赖|依存なし|의존 없/iu;
const everything =
  /^(?:on )?(?:all|everything|every(?:thing)? else|alle[sm]?|tou(?:t|s)|todo[s]?|tutt[oi]|wszystk\p{L}+|всех?|всего|所有|全部|すべて)(?:\s+(?:of\s+)?(?:the\s+)?(?:above|previous|before|others?|prior|oben\p{L}*|vorherigen?|ci-dessus|précédents?|anteriores?|precedenti|vorige|powyższ\p{L}*|выше\p{L}*|предыдущ\p{L}*)|$)/iu;

export interface Dependencies {
  /** Each name as written; empty when the text says that there are none. */
  readonly names: readonly string[];
  readonly all: boolean;
}

/** What a text says it depends on; undefined when it says nothing about that. */
export function dependenciesOf(text: string): Dependencies | undefined {
  if (none.test(text)) return { names: [], all: false };
  const brackets = [...text.matchAll(/[(（]([^()（）]{2,200})[)）]/gu)].map(([, inner = ""]) => inner);
  const found =
    brackets
      .map((inner) => inBrackets.exec(inner)?.[1] ?? japanese.exec(inner)?.[1])
      .find((names) => names !== undefined) ??
    free.exec(text.replace(/[)）]\s*$/, ""))?.[1] ??
    japanese.exec(text.split(/[（(:：–—]/u).at(-1) ?? "")?.[1];
  return found === undefined ? undefined : namesIn(found);
}

/** Names of a list such as `common + nano system`, `io core, rkllm and main`. */
export function namesIn(list: string): Dependencies {
  const text = list.replace(/[.;。]\s*$/, "").trim();
  if (
    /^(?:none|nothing|[-–—]|n\/a|keine?|nichts|aucune?|rien|ningun[oa]|nada|nenhuma?|nessuna?|geen|brak|нет|无|無|なし|없음)$/iu.test(
      text,
    )
  )
    return { names: [], all: false };
  if (everything.test(text)) return { names: [text], all: true };
  const names = text
    .split(
      /\s*(?:\+|,|;|&|、|，|\/(?=\s))\s*|\s+(?:and|und|et|y|e|en|i|и|as well as|sowie)\s+|\s*[与和と]\s*/u,
    )
    .map((name) =>
      name
        .replace(/^["'`]|["'`]$/g, "")
        .replace(/^(?:the|die|der|das|le|la|les|el)\s+/iu, "")
        .trim(),
    )
    .filter((name) => name !== "");
  return { names, all: false };
}

/** Which of the names is meant: the same words, else the shortest name that holds all of them. -1 when none does. */
export function matchName(wanted: string, names: readonly string[]): number {
  const parts = slug(wanted)
    .split("-")
    .filter((part) => part !== "");
  if (parts.length === 0) return -1;
  const exact = names.findIndex((name) => slug(name) === parts.join("-"));
  if (exact !== -1) return exact;
  const number = /^#?(\d{1,3})$/.exec(wanted.trim())?.[1];
  if (number !== undefined && names[Number(number) - 1] !== undefined) return Number(number) - 1;
  let best = -1;
  let length = Number.POSITIVE_INFINITY;
  names.forEach((name, index) => {
    const own = slug(name).split("-");
    if (own.length < length && parts.every((part) => own.includes(part))) {
      best = index;
      length = own.length;
    }
  });
  return best;
}
