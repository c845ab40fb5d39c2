import { readFileSync } from "node:fs";
import { join } from "node:path";
import { check, command, defineMigration, type Migration, phase, step, value, when } from "cutover";
import { backfill, backup, configure, cutoverData, reverseSync, verify } from "cutover/data";
import { engineAnswers, errorShare, longestWrite, newProcessorsAgree } from "./crossing/checks.ts";
import { checkCommand } from "./crossing/commands.ts";
import { witnessedSwitch } from "./crossing/witnessed-switch.ts";
import { near, workFolder } from "./crossing/work-folder.ts";
import { ask, health } from "./engine/client.ts";
import { toNew, toOld } from "./engine/layout.ts";
import { places } from "./engine/places.ts";

const dir = workFolder();
const files = places(near(dir));
/** The engine has its LevelDB open; through its door the migration reaches it while it goes on serving. */
const old = `door:${files.door}#old`;
const young = `lmdb:${files.new}`;
const crossing = { map: toNew, back: toOld };

const reload = async (): Promise<void> => void (await ask(dir, "POST", "/reload"));
const answers = check("engine answers", () => engineAnswers(dir));

const migration: Migration = defineMigration({
  name: "layered-memory",
  title: "The storage of the layered memory engine",
  phases: [
    phase("storage", {
      entry: [answers],
      steps: [
        backup(old, { into: files.backup, scratch: `leveldb:${files.scratch}` }),
        configure<{ cache: { entries: number } }>(
          files.settings,
          { set: { "cache.entries": 5_000 } },
          {
            name: "cache",
            apply: reload,
            check: async ({ cache }) => (await health(dir)).cacheEntries === cache.entries,
          },
        ),
        backfill(old, young, { map: toNew, follow: true }),
        verify(old, young, { map: toNew }),
      ],
    }),
    phase("processors", {
      wayBack: [answers],
      steps: [
        step("validate", {
          run: () => newProcessorsAgree(),
          summary: "try the new processors beside the old ones",
        }),
        configure<Uint8Array>(
          files.processors,
          { to: readFileSync(join(import.meta.dirname, "processors/reflective.ts")) },
          {
            name: "upgrade",
            format: "bytes",
            apply: reload,
            check: async (text) => Buffer.from(text).includes(`version = ${(await health(dir)).processors};`),
          },
        ),
      ],
    }),
    phase("engine", {
      wayBack: [answers],
      steps: [
        cutoverData(old, young, { ...crossing, switch: witnessedSwitch(dir), backup: files.backup }),
        reverseSync(old, young, { ...crossing, for: "2s", follow: true }),
      ],
    }),
    phase("integration", {
      wayBack: [answers],
      steps: [
        configure(
          files.integration,
          { to: { feed: true, keepErrors: 20 } },
          { name: "feed", apply: reload, check: async () => (await health(dir)).feed },
        ),
        command("integration-test", checkCommand("integration", dir)),
      ],
    }),
    phase("validation", {
      steps: [
        command("unit", checkCommand("unit", dir)),
        command("performance", checkCommand("performance", dir)),
        command("stress", checkCommand("stress", dir)),
      ],
      exit: [
        value("share of failed calls", () => errorShare(dir)).below(0.001),
        value("longest write in ms", () => longestWrite(dir)).below(15_000),
      ],
      // The sign-off: both of them, by name, for the evidence above.
      approval: { by: 2, from: ["ann", "ben"] },
    }),
  ],
  triggers: [when(value("share of failed calls", () => errorShare(dir)).above(0.02)).then("alert")],
  verifyOld: [answers],
  risks: [
    {
      risk: "memories lost while stores change",
      probability: "low",
      impact: "high",
      mitigation:
        "log followed from before the first row, both sides compared in the pause, ledger of the load",
    },
    {
      risk: "the new layout reads slower",
      probability: "low",
      impact: "medium",
      mitigation: "both stores read in turns before the sign-off: within 10 % of the old one",
    },
  ],
});

export default migration;
