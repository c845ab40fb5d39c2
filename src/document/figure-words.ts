import { words } from "./word-list.ts";
import type { TimeUnit } from "./figure-finding.ts";

/** Words for lengths of time by language, as they are written behind a number (or before it: `Week 2`, `Woche 2`). */
export const timeWords: Readonly<Record<TimeUnit, readonly string[]>> = {
  ms: words("ms|msec|msecs|millisecond|milliseconds|millisekunden|millisecondes|мс|毫秒|ミリ秒"),
  s: words(
    "s|sec|secs|second|seconds|sekunde|sekunden|seconde|secondes|segundo|segundos|secondo|secondi",
    "seconden|sekundy|sekund|секунда|секунды|секунд|сек|秒|초",
  ),
  min: words(
    "min|mins|minute|minutes|minuten|minuto|minutos|minuti|minuut|minut|minuty|минута|минуты",
    "минут|мин|分钟|分鐘|分|분",
  ),
  h: words(
    "h|hr|hrs|hour|hours|std|stunde|stunden|heure|heures|hora|horas|ora|ore|uur|uren|godzina",
    "godziny|godzin|час|часа|часов|小时|小時|時間|시간",
  ),
  workday: words(
    "working day|working days|workday|workdays|business day|business days|man-day|man-days",
    "person-day|person-days|dev-day|dev-days|arbeitstag|arbeitstage|arbeitstagen|personentage",
    "jour ouvré|jours ouvrés|jour-homme|jours-homme|día hábil|días hábiles|días laborables",
    "dias úteis|giorni lavorativi|werkdagen|dni robocze|dni roboczych|рабочих дней|рабочих дня",
    "рабочий день|工作日|営業日|人日|人天|영업일",
  ),
  day: words(
    "d|day|days|tag|tage|tagen|jour|jours|día|días|dia|dias|giorno|giorni|dag|dagen|dagar|dage",
    "dager|dzień|dni|день|дня|дней|дні|днів|gün|天|日間|日|일",
  ),
  week: words(
    "w|wk|wks|week|weeks|woche|wochen|semaine|semaines|semana|semanas|settimana|settimane|weken",
    "tydzień|tygodnie|tygodni|неделя|недели|недель|тиждень|тижні|тижнів|vecka|veckor|uge|uger|uke",
    "uker|hafta|周|週間|週|주",
  ),
  month: words(
    "month|months|monat|monate|monaten|mois|mes|meses|mês|mese|mesi|maand|maanden|miesiąc",
    "miesiące|miesięcy|месяц|месяца|месяцев|ay|个月|個月|ヶ月|か月|カ月|개월",
  ),
  quarter: words(
    "quarter|quarters|quartal|quartale|trimestre|trimestres|trimestri|kwartaal|квартал|季度|四半期",
  ),
  year: words(
    "y|yr|yrs|year|years|jahr|jahre|jahren|an|ans|année|années|año|años|ano|anos|anno|anni|jaar",
    "lat|lata|rok|год|года|лет|年|년",
  ),
};

/** Words that stand before the number of a span: `Days 8-13`, `Woche 1`, `第1周`. */
export const spanWords: Readonly<Record<"day" | "week" | "month" | "quarter", readonly string[]>> = {
  day: words("days|day|tage|tag|jours|jour|días|día|dias|dia|giorni|giorno|dagen|dag|dni|dzień|дни|день"),
  week: words(
    "weeks|week|wochen|woche|kw|semaines|semaine|semanas|semana|settimane|settimana|weken",
    "tygodnie|tydzień|недели|неделя|vecka|uge|uke|hafta",
  ),
  month: words("months|month|monate|monat|mois|meses|mes|mês|mesi|mese|maand|miesiąc|месяц"),
  quarter: words("quarters|quarter|quartal|trimestre"),
};

/** Words that compare. The longest match wins. */
export const comparisonWords: readonly (readonly [
  "<" | "<=" | ">" | ">=" | "within" | "=",
  readonly string[],
])[] = [
  [
    ">",
    words(
      "more than|beyond|greater than|higher than|larger than|longer than|slower than|worse than|above|over",
      "exceeds|exceed|exceeding|mehr als|größer als|höher als|länger als|über|übersteigt|plus de",
      "supérieur à|supérieure à|au-dessus de|dépasse|más de|más que|mayor que|mayor de|superior a",
      "por encima de|supera|mais de|maior que|acima de|più di|superiore allo|superiore alla|superiore al|superiore a|oltre",
      "maggiore di|meer dan|hoger dan|boven|więcej niż|powyżej|ponad|больше|более|выше|свыше",
      "превышает|超过|超過|大于|高于|を超える|を超え|より大きい|초과",
    ),
  ],
  [
    ">=",
    words(
      "at least|no less than|not less than|minimum of|minimum|min.|mindestens|wenigstens|au moins",
      "al menos|como mínimo|pelo menos|no mínimo|almeno|ten minste|minimaal|co najmniej|не менее",
      "минимум|至少|不低于|不少于|以上|이상",
    ),
  ],
  [
    "<",
    words(
      "less than|fewer than|lower than|below|under|faster than|weniger als|kleiner als",
      "niedriger als|unter|unterhalb von|moins de|inférieur à|inférieure à|en dessous de|sous",
      "menos de|menor que|menor de|inferior a|por debajo de|abaixo de|menor do que|meno di|inferiore al",
      "inferiore allo|inferiore alla|inferiore al|inferiore a|sotto|minder dan|lager dan|onder|mniej niż|poniżej|меньше|менее|ниже|小于|低于|少于|未満",
      "미만",
    ),
  ],
  [
    "<=",
    words(
      "at most|no more than|not more than|up to|maximum of|maximum|max.|höchstens|maximal",
      "nicht mehr als|bis zu|au plus|au maximum|jusqu'à|como máximo|hasta|no más de|no máximo|até",
      "al massimo|fino a|hoogstens|maximaal|niet meer dan|co najwyżej|nie więcej niż|не более",
      "не больше|не выше|максимум|最多|不超过|不高于|以下|以内|이하",
    ),
  ],
  [
    "within",
    words(
      "within|innerhalb von|maximal abweichend um|à moins de|dentro del|dentro de|entro il|entro",
      "binnen|w granicach|в пределах",
    ),
  ],
];
