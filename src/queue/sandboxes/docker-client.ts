import { CutoverError } from "../../core/index.ts";

/**
 * The part of a `dockerode` instance that is used, so that its types are not needed. Each call takes an `abortSignal`
 * among its options and rejects with an error that carries `statusCode` when the engine refused it.
 */
export interface DockerClient {
  createContainer(options: Record<string, unknown>): Promise<DockerContainer>;
  getContainer(id: string): DockerContainer;
  listContainers(options: Record<string, unknown>): Promise<readonly { readonly Id: string }[]>;
  getImage(name: string): { inspect(): Promise<unknown> };
  pull(image: string, options: Record<string, unknown>): Promise<DockerStream>;
}

export interface DockerContainer {
  readonly id: string;
  start(options: Record<string, unknown>): Promise<unknown>;
  wait(options: Record<string, unknown>): Promise<{ readonly StatusCode: number }>;
  inspect(options: Record<string, unknown>): Promise<ContainerFacts>;
  logs(options: { readonly follow: true; readonly [name: string]: unknown }): Promise<DockerStream>;
  stats(options: Record<string, unknown>): Promise<DockerStream>;
  stop(options: Record<string, unknown>): Promise<unknown>;
  kill(options: Record<string, unknown>): Promise<unknown>;
  remove(options: Record<string, unknown>): Promise<unknown>;
}

export interface ContainerFacts {
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly ExitCode: number;
    readonly OOMKilled: boolean;
  };
}

/** The answer as it comes: a stream of Node, which `dockerode` hands out untouched. */
export interface DockerStream extends AsyncIterable<Buffer> {
  destroy(): unknown;
}

/** How the engine is reached: a client made elsewhere, or the options `dockerode` takes (`socketPath`, `host`, `ca` …). */
export type DockerEngineOptions = DockerClient | Readonly<Record<string, unknown>>;

/** An optional package: only who runs containers needs it. A name in a variable is no dependency of the build. */
const driver = "dockerode";

export async function openDocker(options: DockerEngineOptions | undefined): Promise<DockerClient> {
  if (typeof options?.["createContainer" as keyof typeof options] === "function")
    return options as DockerClient;
  try {
    const loaded = (await import(driver)) as { default: new (options?: unknown) => DockerClient };
    return new loaded.default(options);
  } catch (error) {
    // Without a cause: the code of the missing package would make the order fail for good.
    throw new CutoverError("CUTOVER_SANDBOX_UNAVAILABLE", {
      message: `docker() needs the package ${driver}, which could not be used: ${String(error)}`,
      details: { package: driver },
      remedy: `npm install ${driver}`,
    });
  }
}
