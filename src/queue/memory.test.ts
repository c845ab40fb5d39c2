import { describe, expect, test } from "vitest";
import { checkedMemory, machineMemory } from "./memory.ts";

const GB = 2 ** 30;
const machine = () => ({ total: 16 * GB, free: 12 * GB });
const files =
  (texts: Record<string, string>) =>
  (path: string): string | undefined =>
    texts[path];

describe("memory of the machine", () => {
  test("is the operating system's where no control group limits it", () => {
    expect(machineMemory(files({}), machine)).toEqual({ limit: 16 * GB, used: 4 * GB, source: "machine" });
  });

  test("is the version 2 group's limit, without what the kernel can take back", () => {
    const read = files({
      "/proc/self/cgroup": "0::/app/worker\n",
      "/sys/fs/cgroup/app/worker/memory.max": "max\n",
      "/sys/fs/cgroup/app/memory.max": `${2 * GB}\n`,
      "/sys/fs/cgroup/app/memory.current": `${1.5 * GB}\n`,
      "/sys/fs/cgroup/app/memory.stat": `anon 1\ninactive_file ${0.5 * GB}\n`,
    });
    expect(machineMemory(read, machine)).toEqual({ limit: 2 * GB, used: GB, source: "cgroup v2 /app" });
  });

  test("is found at the root when a container sees its own group there", () => {
    const read = files({
      "/proc/self/cgroup": "0::/../../elsewhere\n",
      "/sys/fs/cgroup/memory.max": `${GB}`,
      "/sys/fs/cgroup/memory.current": `${GB / 2}`,
    });
    expect(machineMemory(read, machine)).toEqual({ limit: GB, used: GB / 2, source: "cgroup v2 /" });
  });

  test("is the version 1 group's limit, and its `no limit` is none", () => {
    const limited = {
      "/proc/self/cgroup": "4:memory:/job\n3:cpu:/\n",
      "/sys/fs/cgroup/memory/job/memory.limit_in_bytes": `${4 * GB}`,
      "/sys/fs/cgroup/memory/job/memory.usage_in_bytes": `${3 * GB}`,
      "/sys/fs/cgroup/memory/job/memory.stat": `total_inactive_file ${GB}\n`,
    };
    expect(machineMemory(files(limited), machine)).toMatchObject({ limit: 4 * GB, used: 2 * GB });
    const unlimited = {
      ...limited,
      "/sys/fs/cgroup/memory/job/memory.limit_in_bytes": "9223372036854771712",
    };
    expect(machineMemory(files(unlimited), machine).source).toBe("machine");
  });

  test("is the tightest of all, also when that is the machine itself", () => {
    const read = files({
      "/proc/self/cgroup": "0::/app\n",
      "/sys/fs/cgroup/app/memory.max": `${8 * GB}`,
      "/sys/fs/cgroup/app/memory.current": `${GB}`,
    });
    expect(machineMemory(read, () => ({ total: 16 * GB, free: GB })).source).toBe("machine");
  });

  test("can be read here for real", () => {
    const { limit, used } = machineMemory();
    expect(limit).toBeGreaterThan(2 ** 26);
    expect(used).toBeGreaterThan(0);
    expect(used).toBeLessThan(limit);
  });
});

describe("what the queue's own reader says", () => {
  test("is taken where it gives amounts, also without the name of its source", () => {
    const reading = { limit: 10, used: 4, source: "mine" };
    expect(checkedMemory(() => reading)).toEqual({ memory: reading, trouble: undefined });
    expect(checkedMemory((() => ({ limit: 10, used: 4 })) as never).memory.source).toBe("memory.read");
  });

  test.each([5, null, undefined, {}, { limit: 1 }, { limit: Number.NaN, used: 1 }, { limit: "1", used: 1 }])(
    "gives way to the machine's where it is %j, and that is told",
    (said) => {
      const { memory, trouble } = checkedMemory((() => said) as never);
      expect(memory.limit).toBeGreaterThan(2 ** 20);
      expect(trouble).toMatch(/expected .* from memory.read/);
    },
  );

  test("gives way to the machine's where it throws", () => {
    const { memory, trouble } = checkedMemory(() => {
      throw new Error("cgroup file gone");
    });
    expect([memory.limit > 2 ** 20, trouble]).toEqual([true, "memory.read failed: cgroup file gone"]);
  });
});
