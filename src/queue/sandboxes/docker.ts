import { type Clock, type Duration, type Json, systemClock } from "../../core/index.ts";
import type { OrderRecord } from "../../store/index.ts";
import { callable, duration, invalid, onlyKnown, whole } from "../settings.ts";
import { parseSize, type Size } from "../size.ts";
import { exitCodes, madeInTime, textList, textMembers } from "./command-check.ts";
import { ContainerWork } from "./container-work.ts";
import { type DockerEngineOptions, openDocker } from "./docker-client.ts";
import { containerLabels, DockerEngine } from "./docker-engine.ts";
import type { WorkOrder } from "./in-process.ts";
import { LeftContainers } from "./left-containers.ts";
import { claimEnvironment, claimMark, environmentNames } from "./process-group.ts";
import type { OutcomeSettings } from "./program-outcome.ts";
import type { Orphan, Sandbox, WorkTools } from "./sandbox.ts";
import type { ProgramOutput } from "./subprocess.ts";

/** What runs in the container. */
export interface ContainerCommand {
  /** Program and arguments; default those of the image. */
  readonly args?: readonly string[];
  /** Folder it runs in. Default: that of the image. */
  readonly cwd?: string;
  /** Added to that of the image, with CUTOVER_ORDER_ID, CUTOVER_ORDER_KIND, CUTOVER_FENCE, CUTOVER_ATTEMPT, CUTOVER_IDEMPOTENCY_KEY. */
  readonly env?: Readonly<Record<string, string>>;
  /** `user`, `user:group` or numbers. Default: that of the image. */
  readonly user?: string;
  /** Folders of the engine's machine that it sees; read-only unless `writable`. */
  readonly mounts?: readonly { readonly from: string; readonly to: string; readonly writable?: boolean }[];
}

export interface DockerOptions<Payload> {
  readonly image: string;
  /** A command, or what makes one of an order. Default: what the image runs. */
  readonly command?:
    | ContainerCommand
    | ((order: WorkOrder<Payload>, tools: WorkTools) => ContainerCommand | Promise<ContainerCommand>);
  /** Whether the image is pulled: when it is missing, before each order, or never. Default `"missing"`. */
  readonly pull?: "missing" | "always" | "never";
  /** Processors it may use, e.g. 0.5. Default: no limit. */
  readonly cpus?: number;
  /** Processes and threads it may have. Default 512. */
  readonly pids?: number;
  /** Network of the engine it is put into. Default `"none"`. */
  readonly network?: string;
  /** Most bytes kept of each of stdout and stderr; more is cut in the middle with a note. Default `"64 kB"`. */
  readonly output?: Size;
  /** Makes the order's result out of what the program wrote. Default: exit code, stdout and stderr. */
  readonly result?: (output: ProgramOutput, order: WorkOrder<Payload>) => Json;
  /** Exit codes that another attempt cannot mend. Default none. */
  readonly fatalExitCodes?: readonly number[];
  /** A `dockerode` instance, or its options. Default: DOCKER_HOST, else the usual socket of this machine. */
  readonly engine?: DockerEngineOptions;
  /** Time in which the engine must answer a call. Default `"30s"`. */
  readonly answer?: Duration;
}

const knownOptions: Readonly<Record<keyof DockerOptions<Json>, true>> = {
  image: true,
  command: true,
  pull: true,
  cpus: true,
  pids: true,
  network: true,
  output: true,
  result: true,
  fatalExitCodes: true,
  engine: true,
  answer: true,
};
const knownCommand: Readonly<Record<keyof ContainerCommand, true>> = {
  args: true,
  cwd: true,
  env: true,
  user: true,
  mounts: true,
};

/**
 * Runs each order in a container of its own, through the Engine API and the package `dockerode`. Exit code 0 is success.
 *
 * The order's memory (`needs.memory`, else that behind its slots; 0 is no limit) is the container's, swap included: over
 * it, the kernel ends the work and the order fails with CUTOVER_ORDER_MEMORY, not tried again. Without network and without
 * new privileges unless told otherwise. Containers carry their claim in labels, by which those that a dead worker left
 * behind are found and ended before the order goes on. An engine that gives no usable answer is
 * CUTOVER_SANDBOX_UNAVAILABLE, tried again.
 *
 * The tests speak to a double of the engine that follows the published API. One more test runs against a real engine
 * where one answers; none did where this was written.
 *
 * @throws CUTOVER_QUEUE_INVALID naming the option
 */
export function docker<Payload = Json>(options: DockerOptions<Payload>, clock: Clock = systemClock): Sandbox {
  onlyKnown(options, knownOptions, "docker");
  if (typeof options.image !== "string" || options.image === "") {
    throw invalid("image", "the name of an image", options.image);
  }
  const { pull = "missing", cpus } = options;
  if (!["missing", "always", "never"].includes(pull))
    throw invalid("pull", '"missing", "always" or "never"', pull);
  if (cpus !== undefined && !(typeof cpus === "number" && cpus > 0 && cpus <= 100_000))
    throw invalid("cpus", "a number above 0", cpus);
  if (typeof options.command !== "function") refuseCommand(options.command ?? {});
  if (options.network !== undefined) textList([options.network], "network");
  if (options.result !== undefined) callable(options.result, "result");
  const pids = whole(options.pids ?? 512, "pids", 1, 1_000_000);
  const answerMs = duration(options.answer ?? "30s", "answer", 1);
  const settings: OutcomeSettings = {
    output: parseSize(options.output ?? "64 kB", "output"),
    fatalExitCodes: exitCodes(options.fatalExitCodes),
    result: options.result as OutcomeSettings["result"],
  };
  const leftBehind = new LeftContainers();
  let opening: Promise<DockerEngine> | undefined;
  const open = (): Promise<DockerEngine> =>
    (opening ??= openDocker(options.engine).then(
      (client) => new DockerEngine(client, answerMs, clock),
      (error: unknown) => {
        opening = undefined;
        throw error;
      },
    ));
  return {
    provider: "docker",
    async prepare(order, tools) {
      const engine = await open();
      await leftBehind.endOf(engine, order.id);
      await engine.provide(options.image, pull);
      const { command = {} } = options;
      const chosen =
        typeof command === "function"
          ? await madeInTime(command(order as WorkOrder<Payload>, tools), order, clock)
          : command;
      refuseCommand(chosen);
      const host = { network: options.network ?? "none", pids, cpus };
      return new ContainerWork(
        order,
        engine,
        containerSpec(order, tools, options.image, chosen, host),
        settings,
        leftBehind,
      );
    },
    async findOrphan(order) {
      // Its trace is stored before the container is made: without one there is none.
      if (order.sandbox?.["provider"] !== "docker") return undefined;
      return orphan(await open(), claimMark(order));
    },
  };
}

/** @throws CUTOVER_QUEUE_INVALID: another attempt would give the same */
function refuseCommand(command: ContainerCommand): void {
  onlyKnown(command, knownCommand, "command");
  const { args, cwd, env, user, mounts } = command;
  textList(args, "command.args");
  textMembers(env, "command.env");
  if (cwd !== undefined) textList([cwd], "command.cwd");
  if (user !== undefined) textList([user], "command.user");
  if (mounts !== undefined && !Array.isArray(mounts)) throw invalid("command.mounts", "a list", mounts);
  for (const mount of mounts ?? []) {
    onlyKnown(mount, { from: true, to: true, writable: true }, "command.mounts");
    for (const end of [mount.from, mount.to])
      if (typeof end !== "string" || !/^([A-Za-z]:)?[/\\]/.test(end))
        throw invalid("command.mounts", "absolute paths from and to", end);
  }
}

async function orphan(engine: DockerEngine, claim: string): Promise<Orphan | undefined> {
  const found = await engine.find(claim);
  if (found.length === 0) return undefined;
  return {
    description: `container ${found.map(({ id }) => id.slice(0, 12)).join(", ")}`,
    end: (graceMs) => endAll(engine, claim, graceMs),
  };
}

async function endAll(engine: DockerEngine, claim: string, graceMs: number): Promise<void> {
  const found = await engine.find(claim);
  await Promise.all(found.map((container) => engine.end(container, graceMs)));
}

function containerSpec(
  order: OrderRecord,
  tools: WorkTools,
  image: string,
  { args, cwd, env = {}, user, mounts = [] }: ContainerCommand,
  {
    network,
    pids,
    cpus,
  }: { readonly network: string; readonly pids: number; readonly cpus: number | undefined },
): Readonly<Record<string, unknown>> {
  // Without the claim: whoever looks through the machine's processes for it must not take these for a program's.
  const { [environmentNames.claim]: claim, ...told } = claimEnvironment(order, tools);
  return {
    Image: image,
    ...(args === undefined ? {} : { Cmd: args }),
    ...(cwd === undefined ? {} : { WorkingDir: cwd }),
    ...(user === undefined ? {} : { User: user }),
    Env: Object.entries({ ...env, ...told }).map(([name, value]) => `${name}=${value}`),
    Labels: {
      [containerLabels.claim]: claim,
      [containerLabels.order]: order.id,
      [containerLabels.kind]: order.kind,
      [containerLabels.fence]: String(tools.fence),
    },
    Tty: false,
    HostConfig: {
      ...(order.memory === 0 ? {} : { Memory: order.memory, MemorySwap: order.memory }),
      ...(cpus === undefined ? {} : { NanoCpus: Math.round(cpus * 1e9) }),
      PidsLimit: pids,
      NetworkMode: network,
      SecurityOpt: ["no-new-privileges"],
      // A first process that hands signals on: a plain program in its place would ignore SIGTERM.
      Init: true,
      LogConfig: { Type: "json-file", Config: { "max-size": "16m", "max-file": "2" } },
      Mounts: mounts.map(({ from, to, writable }) => ({
        Type: "bind",
        Source: from,
        Target: to,
        ReadOnly: writable !== true,
      })),
    },
  };
}
