import type { Context } from "./draft.ts";
import { doing, tellFigures } from "./passage.ts";
import type { Reading } from "./reading.ts";

const strong =
  /trigger|abort|criteria|condition|threshold|auslöser|abbruch|bedingung|kriteri|déclench|critère|condition|abandon|desencaden|disparador|condici|criterio|gatilho|condiç|critério|condizion|innesc|voorwaard|warunk|wyzwal|kryteri|услови|триггер|критери|触发|条件|中止|トリガー|기준|조건/iu;
const weak =
  /(?:^|[^\p{L}])(?:if|when|wenn|falls|si|quando|cuando|se|als|wanneer|jeśli|gdy|если|когда)(?![\p{L}])|如果|场合|場合/iu;

/** Whether items here are conditions for going back. "If …:" above a numbered list begins a procedure, not conditions. */
export const isTriggerSection = ({ section, role }: Context, ordered = false): boolean => {
  if (section === undefined || (role !== "rollback" && section.role !== "rollback")) return false;
  const title = `${section.text} ${section.path.at(-1) ?? ""}`;
  return strong.test(title) || (!ordered && weak.test(section.text));
};

/** A condition for going back. */
export function tellTrigger(
  reading: Reading,
  plain: string,
  line: number,
  endLine: number,
  context: Context,
  known?: "automatic" | "manual",
): boolean {
  const title = context.section?.text ?? "";
  const mode =
    known ??
    (/manual|manuell|manuel|ручн|手动|手動/iu.test(title)
      ? "manual"
      : /automat|автомат|自动|自動/iu.test(title)
        ? "automatic"
        : "unknown");
  const said = /(?:→|⇒|->|=>)\s*(.+)$/su.exec(plain)?.[1]?.trim();
  const above = context.role === "rollback" || doing(title).does === undefined ? "rollback" : title;
  const action = said ?? above;
  const { thresholds } = tellFigures(reading, context, plain, line, { sense: "limit", action });
  const base = {
    text: plain,
    line,
    endLine,
    sureness: "likely",
    why: `under "${context.section?.title ?? ""}"`,
  } as const;
  reading.draft.add("triggers", "trigger", base, context, {
    mode,
    thresholds: thresholds.map(({ key }) => key),
    action,
    does: doing(action).does ?? "rollback",
  });
  return true;
}
