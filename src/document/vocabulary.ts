import { words } from "./word-list.ts";
import type { SectionRole } from "./work-finding.ts";

/**
 * Words that plans use, by language. Lower case. A role word counts where a word begins: an entry in letters that are
 * written apart (Latin, Cyrillic, Greek) also finds its inflections, one of Chinese or Japanese counts anywhere.
 */

/** A numbered stretch: `Phase 2`, `Etappe 2`, `フェーズ2`, `第二阶段`. */
export const phaseWords: readonly string[] = words(
  "phase|stage|milestone|wave|sprint|iteration|increment|etappe|stufe|abschnitt|meilenstein",
  "welle|étape|etape|jalon|vague|fase|etapa|hito|oleada|marco|onda|tappa|ondata|mijlpaal|golf",
  "faza|fazy|etap|fala|fáze|etapă|fază|fázis|szakasz|фаза|этап|стадия|веха|волна|етап|стадія",
  "хвиля|vaihe|fas|etapp|aşama|evre|faz|φάση|στάδιο|tahap|giai đoạn|مرحلة|المرحلة|चरण|阶段|階段|里程碑",
  "フェーズ|段階|ステージ|マイルストーン|단계|페이즈",
);

/** Words that mean a phase in one plan and a step in the next: a step when they stand inside a phase. */
export const periodWords: readonly string[] = words(
  "week|day|month|quarter|woche|tag|monat|semaine|jour|mois|semana|día|dia|mes|mês|settimana",
  "giorno|mese|week|dag|maand|tydzień|dzień|miesiąc|неделя|день|месяц|vecka|uge|uke|viikko",
  "hafta|týden|周|週|주차|주",
);

export const stepWords: readonly string[] = words(
  "step|task|action|substep|schritt|teilschritt|aufgabe|pas|tâche|tache|paso|tarea|passo|tarefa",
  "passaggio|attività|stap|taak|krok|zadanie|úkol|шаг|задача|крок|steg|trin|trinn|askel|adım",
  "lépés|βήμα|langkah|bước|خطوة|कदम|步骤|步驟|ステップ|手順|스텝|절차",
);

/** What is moved: `Crate 3: name`, `Modul 2 – name`. */
export const unitWords: readonly string[] = words(
  "crate|package|module|component|service|system|library|unit|layer|workload|application",
  "database|table|repository|team|region|site|tenant|paket|modul|komponente|dienst|schicht",
  "paquet|composant|couche|paquete|módulo|servicio|componente|capa|pacote|serviço|camada",
  "pacchetto|modulo|servizio|strato|pakket|dienst|laag|pakiet|moduł|usługa|warstwa|пакет|модуль",
  "сервис|слой|система|模块|模組|组件|服务|系统|包|モジュール|サービス|コンポーネント|パッケージ|모듈|서비스",
);

/** What a heading without number is about. The first role with a word in it wins, so the narrow ones stand first. */
export const roleWords: readonly (readonly [SectionRole, readonly string[]])[] = [
  [
    "mitigations",
    words(
      "mitigation strateg|mitigation measure|mitigations|gegenmaßnahme|maßnahmen gegen",
      "mesures d'atténuation",
    ),
  ],
  [
    "contingency",
    words(
      "contingenc|emergency|disaster|fallback plan|plan b|notfall|ausweichplan|plan de secours",
      "urgence|contingencia|emergencia|contingência|emergenza|contingenza|noodplan|awaryjn|аварийн",
      "план б|应急|緊急|コンティンジェンシー|비상",
    ),
  ],
  ["risks", words("risk|risik|risque|riesgo|risco|rischi|risico|ryzyk|риск|ризик|风险|風險|リスク|위험")],
  [
    "rollback",
    words(
      "rollback|stop condition|stop criteria|kill criteria|roll back|roll-back|rolling back|back-out|backout|fall back|way back|revert|abort",
      "undo|restore plan|rückfall|rückweg|rückabwicklung|rückrollen|zurückroll|rückkehr|abbruch",
      "retour arrière|retour en arrière|annulation|marche arrière|abandon|reversión|reversion",
      "vuelta atrás|marcha atrás|retroceso|reversão|desfazer|ripristino|annullamento|terugdraai",
      "terugval|terugrol|wycofan|cofnięci|przywróceni|откат|возврат|відкат|回滚|回退|回復|ロールバック|切り戻し|롤백",
    ),
  ],
  [
    "ramp",
    words(
      "rollout schedule|rollout plan|ramp|traffic shift|traffic split|canary|ausrollplan",
      "rollout-stufen|hochlauf|montée en charge|despliegue gradual|implantação gradual",
      "rilascio graduale|灰度|カナリア|段階的リリース|stapsgewijze uitrol|постепенн|stopniow",
    ),
  ],
  [
    "thresholds",
    words(
      "threshold|metrics to watch|key metrics|alert|slo|sla |monitoring|schwellwert|schwellenwert",
      "grenzwert|überwachung|kennzahl|seuil|surveillance|umbral|umbrales|límite|monitorizaci",
      "monitoreo|limiar|monitoramento|soglia|soglie|monitoraggio|drempel|bewaking|próg|progi",
      "monitorowani|порог|мониторинг|поріг|阈值|閾值|监控|しきい値|閾値|監視|임계",
    ),
  ],
  [
    "criteria",
    words(
      "success|criteria|criterion|acceptance|definition of done|exit condition|kpi|go/no-go",
      "done when|erfolg|kriteri|abnahme|fertig, wenn|fertig wenn|critère|succès|réussite",
      "acceptation|criterio|éxito|aceptación|critério|sucesso|aceitação|successo|accettazione",
      "criteria|acceptatie|succes|kryteri|sukces|критери|успех|приёмк|приемк|критері|成功|验收|標準|标准|基準",
      "受け入れ|성공|기준",
    ),
  ],
  [
    "mapping",
    words(
      "mapping|zuordnung|abbildung|correspondance|correspondencia|mapeo|mapeamento|mappatura",
      "corrispondenz|toewijzing|mapowani|odwzorowani|соответств|сопоставлен|映射|对应|マッピング|対応|매핑",
    ),
  ],
  [
    "order",
    words(
      "order|sequence|reihenfolge|abfolge|ordre|séquence|orden|secuencia|ordem|sequência|ordine",
      "sequenza|volgorde|kolejność|порядок|последовательн|顺序|順序|次序|순서",
    ),
  ],
  [
    "timeline",
    words(
      "timeline|schedule|calendar|zeitplan|terminplan|kalender|calendrier|planning|cronograma",
      "calendario|calendário|tijdlijn|tijdschema|harmonogram|график|календар|расписани|时间表|時程|日程",
      "スケジュール|タイムライン|일정",
    ),
  ],
  [
    "cleanup",
    words(
      "cleanup|clean up|clean-up|decommission|post-migration|retire|aufräum|nacharbeit|abschalt",
      "nettoyage|limpieza|limpeza|pulizia|opschon|sprzątani|очистк|清理|後片付け|クリーンアップ|정리",
    ),
  ],
  [
    "checklist",
    words(
      "checklist|check list|verification|validation|verify|prerequisite|precondition|readiness",
      "prüfliste|checkliste|prüfung|voraussetzung|vérification|liste de contrôle|prérequis",
      "verificación|lista de comprobación|lista de verific|requisitos previos|verificação",
      "pré-requisito|verifica|prerequisit|controlelijst|verificatie|lista kontrolna|weryfikacj",
      "wymagania wstępne|контрольный список|чек-лист|проверк|检查|檢查|核对|验证|前提|チェックリスト|確認|検証|체크리스트|검증",
    ),
  ],
  [
    "files",
    words(
      "files created|files modified|files removed|files changed|files deleted|new files|dateien",
      "fichiers|archivos|ficheiros|arquivos|bestanden|файлы|文件|ファイル",
    ),
  ],
  [
    "reports",
    words(
      "report|communication|dashboard|stakeholder|bericht|kommunikation|rapport|informe|comunicaci",
      "relatório|comunicação|comunicazion|communicatie|raport|komunikacj|отчёт|отчет|报告|沟通|報告|連絡|보고",
    ),
  ],
  [
    "roles",
    words(
      "roles|responsib|team member|contacts|people|rollen|zuständig|verantwortlich|rôles",
      "responsables|responsáve|ruoli|verantwoordelijk|role i|odpowiedzialn|роли|ответственн|职责|角色",
      "担当|役割|담당",
    ),
  ],
  [
    "testing",
    words(
      "testing|tests|test plan|test strategy|teststrategie|testplan|pruebas|testes|collaudo|testen",
      "testy|тестирован|测试|テスト|테스트",
    ),
  ],
  [
    "goal",
    words(
      "goal|objective|purpose|ziel|zweck|objectif|but du|objetivo|obiettiv|scopo|doel|cel |цель",
      "мета|目标|目標|目的|목표",
    ),
  ],
  [
    "overview",
    words(
      "overview|summary|introduction|background|abstract|context|current state|überblick|übersicht",
      "zusammenfassung|einleitung|hintergrund|ausgangslage|aperçu|résumé|contexte|resumen",
      "introducción|contexto|resumo|visão geral|introdução|panoramica|riepilogo|overzicht",
      "samenvatting|inleiding|przegląd|podsumowani|обзор|введение|итог|概述|总结|背景|概要|개요",
    ),
  ],
];

/** Headings over the list of all phases: `Migration Phases`, `Phasen`, `实施步骤`. */
export const containerWords: readonly string[] = words(
  "phases|stages|milestones|waves|phased approach|phase overview|migration plan|migration steps",
  "rollout steps|action plan|phasen|etappen|stufen|ablauf|étapes|phase|fases|etapas|fasi|tappe",
  "fasen|fazy|etapy|фазы|этапы|фази|етапи|阶段|階段|フェーズ|단계|faser|vaiheet|aşamalar",
);
