import { endsAt, isSign, lowered } from "./lower.ts";
import { words } from "./word-list.ts";

/** What a label (`Goal: …`), a column or a key of YAML means. */
export type Field =
  | "goal"
  | "duration"
  | "effort"
  | "buffer"
  | "total"
  | "owner"
  | "status"
  | "depends"
  | "rollback"
  | "scope"
  | "start"
  | "end"
  | "milestone"
  | "phase"
  | "step"
  | "unit"
  | "order"
  | "priority"
  | "metric"
  | "threshold"
  | "action"
  | "risk"
  | "probability"
  | "impact"
  | "mitigation"
  | "old"
  | "new"
  | "share"
  | "criterion"
  | "role"
  | "person"
  | "report"
  | "command"
  | "note";

/** By language. A field counts where the label begins with one of its words; narrow ones stand first. */
export const fieldWords: readonly (readonly [Field, readonly string[]])[] = [
  [
    "mitigation",
    words(
      "mitigation|countermeasure|response|gegenmaßnahme|maßnahme|mesure|atténuation|mitigación|mitigação",
      "mitigazione|maatregel|środek|меры|смягчение|缓解|应对|对策|対策|대응",
    ),
  ],
  [
    "probability",
    words(
      "probability|likelihood|chance|wahrscheinlichkeit|probabilité|probabilidad|probabilidade",
      "probabilità|kans|prawdopodobieństwo|вероятность|概率|可能性|発生確率|確率|확률",
    ),
  ],
  [
    "impact",
    words(
      "impact|severity|auswirkung|schwere|gravité|impacto|gravedad|impatto|gravità|invloed|wpływ|skutek",
      "влияние|последстви|серьёзность|影响|影響|重大|영향",
    ),
  ],
  ["risk", words("risk|risiko|risque|riesgo|risco|rischio|risico|ryzyko|риск|风险|風險|リスク|위험")],
  [
    "threshold",
    words(
      "threshold|limit|max|min|schwelle|schwellwert|schwellenwert|grenzwert|grenze|seuil|limite|umbral|límite",
      "limiar|soglia|drempel|grens|próg|limit|порог|предел|阈值|閾値|しきい値|上限|限界|임계",
    ),
  ],
  [
    "action",
    words(
      "action|reaction|what to do|then|aktion|reaktion|handlung|dann|réaction|acción|accion|ação|azione|actie|akcja",
      "działanie|действие|реакция|动作|操作|措施|处理|アクション|対応|処置|조치",
    ),
  ],
  [
    "metric",
    words(
      "metric|measure|kpi|indicator|signal|kennzahl|messgröße|metrik|métrique|indicateur|mesuré|métrica|indicador",
      "metrica|indicatore|metriek|meetwaarde|wskaźnik|metryka|метрика|показатель|指标|指標|メトリクス|지표",
    ),
  ],
  [
    "old",
    words(
      "old|current|existing|legacy|from|source|before|as-is|alt|alter|alte|altes|bisher|quelle|aktuell|von|ancien|actuel|source",
      "de|antiguo|viejo|actual|origen|antigo|atual|origem|vecchio|attuale|origine|da|oud|huidig|bron|stary|obecny",
      "źródło|старый|старое|старая|текущ|источник|из|旧|原|当前|現行|移行元|元|旧値|기존|이전",
    ),
  ],
  [
    "new",
    words(
      "new|target|to|replacement|after|to-be|neu|neuer|neue|neues|ziel|nach|nouveau|nouvel|cible|vers|nuevo|destino",
      "novo|alvo|destino|para|nuovo|destinazione|a|nieuw|doel|nowy|cel|новый|новое|новая|целев|в|新|目标|移行先|先|신규|이후",
    ),
  ],
  [
    "duration",
    words(
      "duration|length|time|how long|dauer|zeit|zeitraum|durée|delai|délai|duración|plazo|tiempo|duração|prazo|durata|tempo",
      "duur|tijd|czas|termin|длительность|срок|продолжительность|время|时长|工期|期间|時間|期間|所要|기간",
    ),
  ],
  [
    "effort",
    words(
      "effort|estimate|estimated|aufwand|schätzung|charge|estimation|esfuerzo|estimación|esforço|estimativa|impegno|stima",
      "inspanning|schatting|nakład|оценка|трудоёмкость|трудозатраты|工作量|工数|見積|공수",
    ),
  ],
  [
    "buffer",
    words(
      "buffer|slack|reserve|contingency time|puffer|marge|colchón|margen|margem|margine|bufor|zapas|буфер|резерв|запас|缓冲|バッファ",
    ),
  ],
  [
    "total",
    words(
      "total|sum|overall|gesamt|summe|insgesamt|totale|totaal|razem|suma|łącznie|итого|всего|合计|总计|合計|総計|합계",
    ),
  ],
  [
    "owner",
    words(
      "owner|responsible|assignee|lead|who|verantwortlich|zuständig|wer|responsable|pilote|encargado|responsável|responsabile",
      "verantwoordelijk|eigenaar|odpowiedzialny|właściciel|ответственный|владелец|负责人|責任者|担当|담당",
    ),
  ],
  [
    "status",
    words(
      "status|done?|completed?|finished?|erledigt|fait?|fait ?|hecho|¿hecho|fatto?|готово|state|progress|stand|zustand|fortschritt|statut|état|avancement|estado|progreso|stato|avanzamento|voortgang",
      "postęp|статус|состояние|ход|状态|进度|状態|進捗|상태|진행",
    ),
  ],
  [
    "depends",
    words(
      "depends|dependencies|dependency|requires|blocked by|needs|after|abhängig|abhängigkeit|benötigt|voraussetzung|dépend",
      "dépendance|nécessite|depende|dependencia|requiere|dependência|requer|dipende|dipendenz|richiede|afhankelijk",
      "vereist|zależ|wymaga|зависи|требует|依赖|前置|依存|前提|의존|선행",
    ),
  ],
  [
    "rollback",
    words(
      "rollback|roll back|way back|revert|rückweg|rückfall|rückroll|zurück|retour|vuelta|reversión|reversão|ripristino|annullamento",
      "terugdraai|terugval|wycofanie|powrót|откат|возврат|回滚|回退|ロールバック|切り戻し|롤백",
    ),
  ],
  [
    "scope",
    words(
      "systems|scope|units|covers|umfang|systeme|bereich|périmètre|portée|alcance|sistemas|escopo|ambito|omvang|zakres|объём|охват|范围|対象|範囲|범위",
    ),
  ],
  [
    "start",
    words(
      "start|begin|from date|beginn|anfang|début|inicio|início|inizio|begin|początek|начало|开始|開始|着手|시작",
    ),
  ],
  [
    "end",
    words(
      "end|finish|due|deadline|ende|frist|fällig|fin|échéance|fecha límite|fim|prazo final|fine|scadenza|einde|koniec|конец|окончание|结束|截止|終了|期限|종료",
    ),
  ],
  [
    "milestone",
    words(
      "milestone|deliverable|result|outcome|meilenstein|ergebnis|jalon|livrable|hito|entregable|marco|entrega|traguardo|risultato",
      "mijlpaal|resultaat|kamień|rezultat|веха|результат|里程碑|交付|成果|マイルストーン",
    ),
  ],
  [
    "phase",
    words(
      "phase|stage|wave|sprint|etappe|stufe|abschnitt|welle|étape|vague|fase|etapa|oleada|onda|tappa|ondata|faza|etap|фаза|этап|волна",
      "阶段|階段|フェーズ|段階|ステージ|단계",
    ),
  ],
  [
    "share",
    words(
      "percent|percentage|share|traffic|%|anteil|prozent|verkehr|pourcentage|part|trafic|porcentaje|tráfico|porcentagem|tráfego",
      "percentuale|traffico|percentage|verkeer|procent|ruch|доля|процент|трафик|比例|流量|割合|トラフィック|비율",
    ),
  ],
  [
    "criterion",
    words(
      "criterion|criteria|success|acceptance|kriterium|abnahme|critère|criterio|critério|criterium|kryterium|критерий|标准|基準|기준",
    ),
  ],
  [
    "step",
    words(
      "step|task|activity|what|work item|schritt|aufgabe|tätigkeit|tâche|activité|action|paso|tarea|actividad|passo|tarefa|atividade",
      "passaggio|attività|compito|stap|taak|krok|zadanie|czynność|шаг|задача|работа|步骤|任务|ステップ|手順|作業|タスク|작업",
    ),
  ],
  [
    "unit",
    words(
      "unit|module|package|component|service|system|crate|library|application|modul|paket|komponente|dienst|paquet|composant",
      "módulo|paquete|componente|servicio|pacote|serviço|pacchetto|modulo|servizio|pakket|pakiet|moduł|usługa|модуль|пакет|сервис",
      "система|模块|服务|系统|组件|モジュール|サービス|システム|모듈|서비스",
    ),
  ],
  [
    "order",
    words(
      "order|sequence|#|no.|nr|reihenfolge|ordre|orden|ordem|ordine|volgorde|kolejność|lp|порядок|№|顺序|序号|順序|番号|순서",
    ),
  ],
  [
    "priority",
    words(
      "priority|class|priorität|klasse|priorité|prioridad|prioridade|priorità|prioriteit|priorytet|приоритет|优先级|優先度|우선",
    ),
  ],
  [
    "role",
    words(
      "role|responsibility|duty|rolle|aufgabe|rôle|rol|papel|función|função|ruolo|rol|rola|роль|角色|职责|役割|역할",
    ),
  ],
  [
    "person",
    words(
      "person|name|team|contact|wer|équipe|equipo|persona|equipe|pessoa|squadra|zespół|osoba|команда|имя|姓名|团队|氏名|チーム|팀|이름",
    ),
  ],
  [
    "report",
    words(
      "report|meeting|update|bericht|rapport|informe|reunión|relatório|reunião|rapporto|riunione|raport|spotkanie|отчёт|отчет|встреча|报告|会议|報告|会議",
    ),
  ],
  [
    "goal",
    words(
      "goal|objective|purpose|aim|ziel|zweck|objectif|but|objetivo|propósito|obiettivo|scopo|doel|cel|цель|задача|目标|目標|目的|목표",
    ),
  ],
  [
    "command",
    words("command|script|befehl|kommando|commande|comando|opdracht|polecenie|команда|命令|コマンド|명령"),
  ],
  [
    "note",
    words(
      "note|comment|remark|description|bemerkung|anmerkung|hinweis|beschreibung|remarque|commentaire|nota|comentario|observación",
      "descripción|observação|descrição|commento|osservazione|opmerking|uwaga|opis|примечание|комментарий|описание|备注|说明|描述|備考|説明|비고|설명",
    ),
  ],
];

const inside: readonly (readonly [Field, readonly string[]])[] = fieldWords.map(([field, list]) => [
  field,
  list.filter((word) => isSign(word) || /[%#№]/.test(word)),
]);
const heads = new Map<string, (readonly [string, Field])[]>();
for (const [field, list] of fieldWords) {
  for (const word of list) {
    const first = word.slice(0, 1);
    if (!isSign(word) && !/[%#№]/.test(word)) heads.set(first, [...(heads.get(first) ?? []), [word, field]]);
  }
}

const known = new Map<string, Field | undefined>();

/** What a label means, by its first word (or, in scripts without spaces, any word); undefined when it is none of these. */
export function fieldOf(label: string): Field | undefined {
  if (label.length > 60) return undefined;
  if (known.has(label)) return known.get(label);
  const text = lowered(label.replaceAll("_", " ").trim());
  // Short words must be whole; longer ones may be inflected.
  const head = heads
    .get(text.slice(0, 1))
    ?.find(([word]) => text.startsWith(word) && (word.length > 3 || endsAt(text, word.length)));
  const sign =
    isSign(text) || /[%#№]/.test(text)
      ? inside.find(([, list]) => list.some((word) => text.includes(word)))
      : undefined;
  const found = head?.[1] ?? sign?.[0];
  if (known.size < 2_000) known.set(label, found);
  return found;
}
