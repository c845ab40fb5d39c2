/**
 * A double of the Docker engine: answers the calls of the published Engine API that the sandbox makes, on a Unix socket, and
 * fails in ways that are told to it. What runs in its containers are the scripts below, not programs.
 */
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

export interface Spec {
  readonly Image: string;
  readonly Cmd?: readonly string[];
  readonly Env: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly HostConfig: Readonly<Record<string, unknown>>;
  readonly [member: string]: unknown;
}

/**
 * `cut`: the connection ends before the answer; `cut-late`: after its head; `hang`: no answer ever; `answered-nobody`: it is
 * done, and the connection ends before the answer.
 */
export type Fault =
  "cut" | "cut-late" | "hang" | "answered-nobody" | { readonly status: number; readonly message: string };

interface Container {
  readonly id: string;
  readonly spec: Spec;
  status: "created" | "running" | "exited";
  exitCode: number;
  oomKilled: boolean;
  /** Frames written so far. */
  readonly output: Buffer[];
  readonly cpuNs: number;
  readonly readers: Set<ServerResponse>;
  readonly waiters: Set<() => void>;
  readonly signals: string[];
}

type Script = (container: Container, double: DockerEngineDouble, args: readonly string[]) => void;

export function frame(kind: 1 | 2, text: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = kind;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

/** By the first word of the command. */
const scripts: Readonly<Record<string, Script>> = {
  echo: (container, double, args) => {
    double.write(container, 1, `${args.join(" ")}\n`);
    double.exit(container, 0);
  },
  env: (container, double) => {
    double.write(container, 1, container.spec.Env.join("\n"));
    double.exit(container, 0);
  },
  fail: (container, double, [code = "1"]) => {
    double.write(container, 1, "before\n");
    double.write(container, 2, "it broke\n");
    double.exit(container, Number(code));
  },
  flood: (container, double) => {
    for (let i = 0; i < 2_000; i++) double.write(container, 1, `${"x".repeat(99)}\n`);
    double.exit(container, 0);
  },
  eat: (container, double) => {
    container.oomKilled = true;
    double.exit(container, 137);
  },
  sleep: (container, double, [ms = "100"]) => {
    double.write(container, 1, "up\n");
    setTimeout(() => double.exit(container, 0), Number(ms)).unref();
  },
  hang: (container, double) => double.write(container, 1, "up\n"),
};

export class DockerEngineDouble {
  readonly images: Set<string> = new Set(["busybox:latest"]);
  /** Images that a pull brings. */
  readonly registry: Set<string> = new Set();
  readonly containers: Map<string, Container> = new Map();
  /** `METHOD name` of each call, in order, e.g. `POST start`. */
  readonly calls: string[] = [];
  readonly #faults = new Map<string, Fault[]>();
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        response.writeHead(500).end(JSON.stringify({ message: String(error) }));
      });
    });
  }

  listen(socket: string): Promise<void> {
    return new Promise((resolve) => this.#server.listen(socket, resolve));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** The next calls of this name meet these, one each. */
  fail(call: string, ...faults: readonly Fault[]): void {
    this.#faults.set(call, [...(this.#faults.get(call) ?? []), ...faults]);
  }

  /** No more faults. */
  clear(): void {
    this.#faults.clear();
  }

  /** Ends all connections, as an engine that is restarted does. */
  cutAll(): void {
    this.#server.closeAllConnections();
  }

  write(container: Container, kind: 1 | 2, text: string): void {
    const bytes = frame(kind, text);
    container.output.push(bytes);
    for (const reader of container.readers) reader.write(bytes);
  }

  exit(container: Container, code: number): void {
    if (container.status !== "running") return;
    container.status = "exited";
    container.exitCode = code;
    for (const reader of container.readers) reader.end();
    for (const waiter of container.waiters) waiter();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://engine");
    const body = await read(request);
    const [, kind = "", id = "", verb] = url.pathname.split("/");
    const name = `${request.method} ${verb ?? (request.method === "DELETE" ? "remove" : id)}`;
    this.calls.push(name);
    const fault = this.#faults.get(name)?.shift();
    if (fault === "hang") return;
    if (fault === "cut") return void request.socket.destroy();
    if (fault === "cut-late") {
      response.writeHead(200, { "content-type": "application/json" });
      response.flushHeaders();
      return void setTimeout(() => request.socket.destroy(), 30);
    }
    if (fault === "answered-nobody") response.writeHead = () => (request.socket.destroy(), response);
    else if (fault !== undefined) return json(response, fault.status, { message: fault.message });
    if (kind === "images") return this.#image(name, url, response);
    if (name === "POST create") return this.#create(JSON.parse(body) as Spec, response);
    if (name === "GET json" && verb === undefined) return this.#list(url, response);
    const container = this.containers.get(id);
    if (container === undefined) return json(response, 404, { message: `No such container: ${id}` });
    return this.#container(name, container, url, response);
  }

  #image(name: string, url: URL, response: ServerResponse): void {
    if (name === "POST create") {
      const image = `${url.searchParams.get("fromImage")}:${url.searchParams.get("tag")}`;
      const found = this.registry.has(image);
      if (found) this.images.add(image);
      response.writeHead(200, { "content-type": "application/json" });
      response.write(`${JSON.stringify({ status: `Pulling from ${image}` })}\n`);
      return void response.end(
        `${JSON.stringify(found ? { status: "Status: Downloaded" } : { error: `manifest for ${image} not found` })}\n`,
      );
    }
    const image = decodeURIComponent(url.pathname.slice("/images/".length, -"/json".length));
    if (this.images.has(image)) return json(response, 200, { Id: `sha256:${image}` });
    json(response, 404, { message: `No such image: ${image}` });
  }

  #create(spec: Spec, response: ServerResponse): void {
    const { Image } = spec;
    if (!this.images.has(Image)) return json(response, 404, { message: `No such image: ${Image}` });
    const id = randomBytes(32).toString("hex");
    const container: Container = {
      id,
      spec,
      status: "created",
      exitCode: 0,
      oomKilled: false,
      output: [],
      cpuNs: 250e6,
      readers: new Set(),
      waiters: new Set(),
      signals: [],
    };
    this.containers.set(id, container);
    json(response, 201, { Id: id, Warnings: [] });
  }

  #list(url: URL, response: ServerResponse): void {
    const { label = [] } = JSON.parse(url.searchParams.get("filters") ?? "{}") as { label?: string[] };
    const all = url.searchParams.get("all") === "true" || url.searchParams.get("all") === "1";
    const found = [...this.containers.values()].filter(
      ({ spec, status }) =>
        (all || status === "running") &&
        label.every((wanted) => {
          const at = wanted.indexOf("=");
          return spec.Labels[wanted.slice(0, at)] === wanted.slice(at + 1);
        }),
    );
    json(
      response,
      200,
      found.map(({ id, status, spec }) => ({
        Id: id,
        State: status,
        Image: spec.Image,
        Labels: spec.Labels,
      })),
    );
  }

  #container(name: string, container: Container, url: URL, response: ServerResponse): void {
    const running = container.status === "running";
    switch (name) {
      case "POST start": {
        const [program = "", ...args] = container.spec.Cmd ?? ["hang"];
        const script = scripts[program];
        if (script === undefined) {
          return json(response, 400, { message: `exec: "${program}": executable file not found in $PATH` });
        }
        container.status = "running";
        response.writeHead(204).end();
        return void setTimeout(() => script(container, this, args), 20);
      }
      case "POST wait": {
        // The real one sends its head at once and the rest when the container has ended.
        response.writeHead(200, { "content-type": "application/json" });
        response.flushHeaders();
        const told = (): unknown => response.end(JSON.stringify({ StatusCode: container.exitCode }));
        return void (container.status === "exited" ? told() : container.waiters.add(told));
      }
      case "GET logs": {
        response.writeHead(200, { "content-type": "application/vnd.docker.multiplexed-stream" });
        for (const bytes of container.output) response.write(bytes);
        if (!running) return void response.end();
        container.readers.add(response);
        return void response.on("close", () => container.readers.delete(response));
      }
      case "GET stats": {
        response.writeHead(200, { "content-type": "application/json" });
        response.write(
          `${JSON.stringify({
            cpu_stats: { cpu_usage: { total_usage: container.cpuNs } },
            memory_stats: { usage: 90 * 2 ** 20, stats: { inactive_file: 10 * 2 ** 20 } },
          })}\n`,
        );
        container.waiters.add(() =>
          response.end('{"cpu_stats":{"cpu_usage":{"total_usage":0}},"memory_stats":{}}\n'),
        );
        return;
      }
      case "GET json":
        return json(response, 200, {
          Id: container.id,
          State: {
            Status: container.status,
            Running: running,
            ExitCode: container.exitCode,
            OOMKilled: container.oomKilled,
          },
        });
      case "POST stop": {
        if (!running) return void response.writeHead(304).end();
        container.signals.push(`SIGTERM t=${url.searchParams.get("t")}`);
        if (container.spec.Cmd?.[0] === "hang") {
          container.waiters.add(() => response.writeHead(204).end());
          return;
        }
        this.exit(container, 143);
        return void response.writeHead(204).end();
      }
      case "POST kill":
        if (!running) return json(response, 409, { message: `container ${container.id} is not running` });
        container.signals.push(url.searchParams.get("signal") ?? "");
        this.exit(container, 137);
        return void response.writeHead(204).end();
      case "DELETE remove":
        if (running && url.searchParams.get("force") !== "true") {
          return json(response, 409, { message: "cannot remove a running container" });
        }
        this.exit(container, 137);
        this.containers.delete(container.id);
        return void response.writeHead(204).end();
      default:
        return json(response, 404, { message: `page not found: ${name}` });
    }
  }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function read(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}
