import { createServer, connect, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/**
 * What happens to one piece of traffic: it goes on, the connection is cut before or after it, or it and all that follows is
 * swallowed while the connection stays.
 */
export type Fate = "pass" | "cut-before" | "cut-after" | "swallow";

/** A wire between a store and its server that can be cut at a chosen place. */
export interface Proxy {
  url(of: string): string;
  /** Asked of everything the client sends. After `cut-after` the answer is lost, the request is not. */
  fate: (sent: Buffer) => Fate;
  cutAll(): void;
  close(): Promise<void>;
}

export async function openProxy(port: number): Promise<Proxy> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    let deaf = false;
    let swallows = false;
    const cut = (): void => {
      client.resetAndDestroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => {
        open.delete(socket);
        if (!deaf) cut();
      });
    }
    client.on("data", (sent: Buffer) => {
      // What was sent with a request whose answer is lost is part of it: cut off here, it might take the request with it.
      const fate = swallows ? "swallow" : deaf ? "pass" : proxy.fate(sent);
      if (fate === "cut-before") return cut();
      if (fate === "swallow") {
        swallows = true;
        return;
      }
      upstream.write(sent);
      if (fate === "cut-after") {
        // The server gets it and answers; the answer, which tells that it is done, reaches nobody.
        deaf = true;
        upstream.once("data", () => setTimeout(cut, 20));
      }
    });
    upstream.on("data", (answer: Buffer) => {
      if (!deaf) client.write(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const own = (server.address() as AddressInfo).port;
  const proxy: Proxy = {
    url: (of) => of.replace(`:${port}/`, `:${own}/`),
    fate: () => "pass",
    cutAll() {
      for (const socket of open) socket.resetAndDestroy();
    },
    async close() {
      proxy.cutAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
