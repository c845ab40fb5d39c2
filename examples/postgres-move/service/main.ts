/**
 * The shop: an HTTP API and four workers, on the old tables or the new ones, whichever are in charge. Nothing here knows of the
 * migration but the switch that it follows.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { argv, exit } from "node:process";
import { isCutoverError } from "cutover";
import { fileSwitch, followSwitch, postgresSides } from "cutover/data";
import {
  addressOf,
  lifeMs,
  places,
  readRecord,
  type ServersRecord,
  type ServiceRecord,
  writeRecord,
} from "../settings.ts";
import { newShop } from "./new-shop.ts";
import { oldShop } from "./old-shop.ts";
import { openPool } from "./pool.ts";
import type { NewOrder, Shop } from "./shop.ts";
import { Workers } from "./workers.ts";

const files = places(argv[2] ?? "");
const servers = readRecord<ServersRecord>(files.servers) as ServersRecord;
const shops: Readonly<Record<"old" | "new", Shop>> = { old: oldShop, new: newShop };
const pools = {
  old: await openPool(addressOf(servers.old, "shop")),
  new: await openPool(addressOf(servers.new, "sales")),
};
const seen = { waits: 0, longestWaitMs: 0, gaveBack: 0 };
await using follower = await followSwitch(fileSwitch(files.switch), {
  longestPause: "30s",
  onEvent: (event) => {
    if (event.type === "going-on") {
      seen.waits += event.calls;
      seen.longestWaitMs = Math.max(seen.longestWaitMs, event.waitedMs);
    } else if (event.type === "gave-back") seen.gaveBack++;
  },
});
const sides = postgresSides({ follower, ...pools });
// A counter that was closed stays closed when the service is started again.
const workers = new Workers(sides, shops, readRecord<{ taking: boolean }>(files.counter)?.taking ?? true);

const server = createServer((request, response) => {
  answer(request).then(
    ([code, body]) => send(response, code, body),
    (error: unknown) => {
      // A database that restarts, a wait that was too long: the client comes again, under the same number.
      const body = isCutoverError(error)
        ? { code: error.code, message: error.message }
        : { message: String(error) };
      send(response, 503, body);
    },
  );
});
// The port is kept over restarts, as the load knows it.
const port = readRecord<ServiceRecord>(files.service)?.port ?? 0;
server.listen(port, "127.0.0.1", () => {
  const bound = (server.address() as AddressInfo).port;
  writeRecord(files.service, { pid: process.pid, port: bound } satisfies ServiceRecord);
});
void workers.run();
setTimeout(() => exit(0), lifeMs).unref();
await new Promise<void>((resolve) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
});
server.close();
server.closeAllConnections();
await workers.stop();
await Promise.all([pools.old.end(), pools.new.end()]);
exit(0);

async function answer(request: IncomingMessage): Promise<readonly [number, unknown]> {
  const url = new URL(request.url ?? "/", "http://service");
  const [, what = "", name = "", verb = ""] = url.pathname.split("/").map(decodeURIComponent);
  const call = `${request.method} /${what}`;
  if (call === "GET /health") return [200, await health()];
  if (call === "POST /orders" && name === "") {
    const order = (await bodyOf(request)) as NewOrder;
    return await sides.transaction(async (client, { side }) => [
      201,
      { ...(await shops[side].place(client, order)), side },
    ]);
  }
  if (call === "POST /orders" && verb === "payment")
    return await sides.transaction(async (client, { side }) => {
      const order = await shops[side].find(client, name);
      if (order === undefined) return [404, { message: `no order ${name}` }] as const;
      await shops[side].pay(client, order, Buffer.from(`paid\0${order.total}\xff`, "latin1"));
      return [200, { request: name, side }];
    });
  if (call === "GET /orders")
    return await sides.read(async (client, { side }) => {
      const order = await shops[side].find(client, name);
      return order === undefined ? [404, { message: `no order ${name}` }] : [200, { ...order, side }];
    });
  // The crossing closes the counter, waits for work that runs, and opens it again at the other side.
  if (call === "POST /work") {
    const taking = url.searchParams.get("take") === "yes";
    writeRecord(files.counter, { taking });
    return [200, await workers.take(taking)];
  }
  return [404, { message: "not here" }];
}

async function health(): Promise<unknown> {
  const running = await sides.read(
    async (client, { side }) => (await shops[side].runningTasks(client)).length,
  );
  const { side, epoch } = follower.standing;
  return { pid: process.pid, side, epoch, taking: workers.taking, running, ...seen };
}

function send(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}
