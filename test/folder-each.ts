import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach } from "vitest";

/**
 * A new folder for each test of the file, which every user may look into; all are removed when its tests are over.
 * @param use called with it before each test
 */
export function folderEach(prefix: string, use: (folder: string) => void): void {
  const root = mkdtempSync(join(tmpdir(), prefix));
  chmodSync(root, 0o755);
  afterAll(() => rmSync(root, { recursive: true }));
  let folders = 0;
  beforeEach(() => {
    const folder = join(root, `${++folders}`);
    mkdirSync(folder);
    use(folder);
  });
}
