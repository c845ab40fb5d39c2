/** The peers, each wired the way its own documentation shows, with everything that talks to a network off. */
import { createRequire } from "node:module";
import { bucketer } from "../../src/rollout/index.ts";
import { answerNew, answerOld, type Call } from "./sides.ts";

const require: NodeJS.Require = createRequire(import.meta.url);

/** @throws when the peers are not installed, saying how to install them. */
function load(name: string): unknown {
  try {
    return require(name);
  } catch (cause) {
    throw new Error(`${name} is not installed: run  npm ci --prefix bench`, { cause });
  }
}

type Stage = "off" | "shadow" | "complete";

interface LaunchDarkly {
  init(
    key: string,
    options: object,
  ): { waitForInitialization(options: { timeout: number }): Promise<unknown>; close(): void };
  createMigration(
    client: object,
    options: object,
  ): {
    read(
      flag: string,
      context: object,
      fallback: string,
      input: unknown,
    ): Promise<{ success: boolean; result: unknown }>;
  };
  LDMigrationSuccess(result: unknown): unknown;
  LDSerialExecution: new (order: string) => object;
}

interface TestDataSource {
  usePreconfiguredFlag(flag: object): Promise<unknown>;
  getFactory(): unknown;
}

/** Reads through `createMigration`, one flag per stage and one with a percentage; latency and error tracking off. */
export async function launchDarkly(): Promise<{
  call(flag: Stage | "share"): Call;
  close(): void;
}> {
  const sdk = load("@launchdarkly/node-server-sdk") as LaunchDarkly;
  const { TestData } = load("@launchdarkly/node-server-sdk/integrations") as {
    TestData: new () => TestDataSource;
  };
  const data = new TestData();
  const variations = ["off", "shadow", "complete"];
  const flag = (key: string, fallthrough: object): object => ({
    key,
    version: 1,
    on: true,
    salt: key,
    variations,
    fallthrough,
    offVariation: 0,
    rules: [],
    targets: [],
    prerequisites: [],
    migration: {},
  });
  for (const [index, stage] of variations.entries())
    await data.usePreconfiguredFlag(flag(stage, { variation: index }));
  const half = [0, 2].map((variation) => ({ variation, weight: 50_000 }));
  await data.usePreconfiguredFlag(flag("share", { rollout: { kind: "rollout", variations: half } }));
  const quiet = { error() {}, warn() {}, info() {}, debug() {} };
  const client = sdk.init("sdk-key", {
    updateProcessor: data.getFactory(),
    sendEvents: false,
    diagnosticOptOut: true,
    logger: quiet,
  });
  await client.waitForInitialization({ timeout: 5 });
  const migration = sdk.createMigration(client, {
    readOld: async (order: Parameters<Call>[0]) => sdk.LDMigrationSuccess(await answerOld(order)),
    readNew: async (order: Parameters<Call>[0]) => sdk.LDMigrationSuccess(await answerNew(order)),
    writeOld: async () => sdk.LDMigrationSuccess(null),
    writeNew: async () => sdk.LDMigrationSuccess(null),
    execution: new sdk.LDSerialExecution("fixed"),
    check: sameAnswer,
    latencyTracking: false,
    errorTracking: false,
  });
  return {
    call: (name) => async (order) => {
      const { success, result } = await migration.read(name, { kind: "user", key: order.id }, "off", order);
      if (!success) throw new Error(`LaunchDarkly could not answer ${name}`);
      return result as Awaited<ReturnType<Call>>;
    },
    close: () => client.close(),
  };
}

function sameAnswer(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** `experimentAsync`; it knows no stages, only a switch. Comparing is left to `publish`. */
export function tzientist(enabled: boolean): Call {
  const scientist = load("tzientist") as { experimentAsync(options: object): Call };
  return scientist.experimentAsync({
    name: "route",
    control: answerOld,
    candidate: answerNew,
    options: {
      enabled: () => enabled,
      publish: (results: { controlResult: unknown; candidateResult: unknown }) => {
        if (!sameAnswer(results.controlResult, results.candidateResult)) throw new Error("answers differ");
      },
    },
  });
}

/** A boolean flag of the in-memory provider decides which side is called. */
export async function openFeature(): Promise<{ call(flag: Stage | "share"): Call; close(): Promise<void> }> {
  const { OpenFeature, InMemoryProvider } = load("@openfeature/server-sdk") as {
    OpenFeature: {
      setProviderAndWait(provider: object): Promise<void>;
      getClient(): { getBooleanValue(flag: string, fallback: boolean, context: object): Promise<boolean> };
      close(): Promise<void>;
    };
    InMemoryProvider: new (flags: object) => object;
  };
  const bucket = bucketer("openfeature");
  const variants = { on: true, off: false };
  await OpenFeature.setProviderAndWait(
    new InMemoryProvider({
      off: { disabled: false, variants, defaultVariant: "off" },
      complete: { disabled: false, variants, defaultVariant: "on" },
      share: {
        disabled: false,
        variants,
        defaultVariant: "off",
        contextEvaluator: (context: { targetingKey: string }) =>
          bucket(context.targetingKey) < 500_000 ? "on" : "off",
      },
    }),
  );
  const client = OpenFeature.getClient();
  return {
    call: (flag) => async (order) =>
      (await client.getBooleanValue(flag, false, { targetingKey: order.id }))
        ? answerNew(order)
        : answerOld(order),
    close: () => OpenFeature.close(),
  };
}
