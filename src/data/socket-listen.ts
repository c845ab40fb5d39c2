import type { Server } from "node:net";

/** Bytes that the path of a socket may have: the kernel takes 104 (macOS) to 108 (Linux), the closing zero included. */
export const longestSocketPath = 100;

/** Resolves when the server listens at `path`. @throws what the system says */
export function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
