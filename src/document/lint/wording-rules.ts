import type { Inventory } from "../inventory.ts";
import { quoted, type Tell } from "./finding.ts";

/** Words that sound like a result and cannot be measured, by language. */
const vague: readonly RegExp[] = [
  /\b(?:acceptable|acceptably|adequate(?:ly)?|reasonabl[ey]|appropriate(?:ly)?|suitabl[ey]|properly|improved?|improvements?|better|good|great|nice(?:ly)?|fast|faster|quick(?:ly)?|smooth(?:ly)?|robust|stable|user[- ]friendly|easy|sufficient(?:ly)?|significant(?:ly)?|minimal|optimi[sz]ed|comparable|satisf(?:ied|actory|ying)|happy|clear|clean|consistent|comprehensive(?:ly)?|seamless(?:ly)?|as expected|well|ready|ok(?:ay)?|performant|efficient(?:ly)?|reliabl[ey]|healthy|looks? fine|feels?)\b/iu,
  /(?<!\p{L})(?:akzeptabel|angemessen|ausreichend|ordentlich|ordnungsgemäß|verbessert|besser|gut|schnell(?:er)?|stabil|robust|reibungslos|zufrieden\p{L}*|sauber|deutlich|wie erwartet|problemlos|performant|vergleichbar)(?!\p{L})/iu,
  /(?<!\p{L})(?:acceptables?|adéquat\p{L}*|raisonnables?|convenable\p{L}*|correctement|amélioré\p{L}*|meilleure?s?|bonne?s?|rapides?|stables?|robustes?|satisfaisant\p{L}*|propres?|comme prévu|fluides?|suffisant\p{L}*)(?!\p{L})/iu,
  /(?<!\p{L})(?:aceptables?|adecuad\p{L}+|razonables?|correctamente|mejorad\p{L}+|mejor|buen[oa]?s?|rápid\p{L}+|estables?|robust[oa]s?|satisfactori\p{L}+|aceitáve\p{L}+|adequad\p{L}+|razoáve\p{L}+|corretamente|melhor\p{L}*|bo[am]s?|estáve\p{L}+|como esperado|suficiente)(?!\p{L})/iu,
  /(?<!\p{L})(?:accettabil\p{L}|adeguat\p{L}|ragionevol\p{L}|correttamente|migliorat\p{L}|miglior\p{L}|buon\p{L}|veloc\p{L}|stabil\p{L}|soddisfacent\p{L}|come previsto|acceptabel\p{L}*|voldoende|redelijk\p{L}*|verbeterd\p{L}*|beter|goed\p{L}?|stabiel\p{L}*|naar behoren|akceptowaln\p{L}+|odpowiedni\p{L}*|poprawnie|lepsz\p{L}+|dobr\p{L}+|szybk\p{L}+|stabiln\p{L}+|zadowalając\p{L}+)(?!\p{L})/iu,
  /(?<!\p{L})(?:приемлем\p{L}+|достаточн\p{L}+|корректно|должным образом|улучшен\p{L}*|лучше|хорош\p{L}+|быстр\p{L}+|стабильн\p{L}+|удовлетворительн\p{L}+|надёжн\p{L}+|надежн\p{L}+|как ожидалось)(?!\p{L})/iu,
  /可接受|合理|适当|適當|良好|改善|更好|更快|稳定|穩定|正常|顺利|順利|足够|問題な[くし]|許容|適切|安定|快適|十分|向上|スムーズ|적절|개선|안정|양호|원활|충분/u,
];
/** What makes such a word measurable after all: a number, a program, a named report, a comparison that can be run. */
const measured =
  /\d|(?<!\p{L})(?:zero|null|keine?|aucune?|ningun\p{L}*|nessun\p{L}*|geen|żadn\p{L}+|no|none|all|every|each|alle|jede\p{L}*|tous|toutes|todos|todas|tutti|tutte|все)(?!\p{L})|零|全部|所有|すべて|全て|모든/iu;

/** Criteria and ticks that say nothing a machine or a person could decide. */
export function checkWording(inventory: Inventory, tell: Tell): void {
  const checks = inventory.checks.filter(({ guards }) => guards !== "task" && guards !== "cleanup");
  const criteria = inventory.criteria.filter(({ check }) => check === undefined);
  const commands = new Set(inventory.commands.map(({ place }) => place.line));
  for (const item of [...checks, ...criteria]) {
    if (item.thresholds.length > 0 || measured.test(item.text) || commands.has(item.place.line)) continue;
    if (item.kind === "check" && item.mentions.length > 0) continue;
    const found = vague.map((words) => words.exec(item.text)?.[0]).find((word) => word !== undefined);
    if (found === undefined) continue;
    tell("unmeasurable", item, {
      expected: "a number, a command or a named person's decision",
      found: quoted(found),
      remedy: "say what is measured and which value is enough",
    });
  }
}
