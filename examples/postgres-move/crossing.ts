import { check, defineMigration, type Migration, phase } from "cutover";
import { backfill, backup, cutoverData, reverseSync, verify } from "cutover/data";
import { addresses } from "./crossing/addresses.ts";
import { foreignKeysHold, serviceAnswers, statusesAreMapped } from "./crossing/checks.ts";
import { newTables, oldTables, toNew, toOld } from "./crossing/map.ts";
import { compareBackInSql, compareInSql } from "./crossing/sql-proof.ts";
import { retireOldShop } from "./crossing/retire.ts";
import { closeCounter, openCounter } from "./crossing/work.ts";
import { places, workFolder } from "./settings.ts";

const dir = workFolder();
const { oldShop, newShop, scratch } = addresses(dir);
const files = places(dir);
const between = { map: toNew, collections: oldTables, into: newTables };
const answers = check("service answers", () => serviceAnswers(dir));
const keysHold = check("foreign keys hold in the new shop", () => foreignKeysHold(dir));

const crossing: Migration = defineMigration({
  name: "postgres-move",
  title: "The shop moves to another PostgreSQL, with other tables",
  units: ["shop"],
  phases: [
    phase("prepare", {
      entry: [answers, check("statuses are mapped", () => statusesAreMapped(dir))],
      steps: [backup(oldShop, { into: files.backup, collections: oldTables, scratch })],
    }),
    phase("move", {
      steps: [backfill(oldShop, newShop, { ...between, follow: true }), verify(oldShop, newShop, between)],
    }),
    phase("cutover", {
      entry: [keysHold],
      wayBack: [answers],
      steps: [
        closeCounter(dir),
        compareBackInSql(dir),
        cutoverData(oldShop, newShop, {
          ...between,
          back: toOld,
          switch: `file:${files.switch}`,
          backup: files.backup,
          limits: { pause: "5s" },
        }),
        openCounter(dir),
        compareInSql(dir),
      ],
    }),
    phase("observe", {
      steps: [reverseSync(oldShop, newShop, { ...between, back: toOld, for: "4s", lag: "20s" })],
    }),
    phase("retire", {
      forwardOnly: true,
      approval: { by: 1 },
      entry: [answers, keysHold],
      steps: [retireOldShop(dir)],
    }),
  ],
  verifyOld: [answers],
  risks: [
    {
      risk: "orders lost or done twice",
      probability: "low",
      impact: "high",
      mitigation: "writers are fenced, the end of the log is applied and compared before they go on",
    },
    {
      risk: "the new tables are wrong for something that only shows in use",
      probability: "medium",
      impact: "high",
      mitigation: "what the new shop writes flows back, so that the old one can take over again",
    },
  ],
});

export default crossing;
