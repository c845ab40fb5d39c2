import { Bell } from "../move/bell.ts";
import type { Standing, Switch } from "./switch.ts";
import { firstStanding, isDecision } from "./turn-law.ts";

/** For tests, and for a process whose move ends with it: it forgets everything with its process. */
export function memorySwitch(first: Standing = firstStanding): Switch {
  const name = "switch:memory";
  let standing = first;
  const bells = new Set<Bell>();
  return {
    name,
    read: () => Promise.resolve(standing),
    // oxlint-disable-next-line require-await -- what the law throws has to become a rejection
    async turn(to) {
      if (!isDecision(standing, to, name)) return;
      standing = { side: to.side, epoch: to.epoch };
      for (const bell of bells) bell.ring();
    },
    async *follow({ signal }) {
      const bell = new Bell();
      const ring = (): void => bell.ring();
      bells.add(bell);
      signal.addEventListener("abort", ring);
      try {
        for (let told: Standing | undefined; !signal.aborted;) {
          const now = standing;
          if (now === told) await bell.heard();
          else yield (told = now);
        }
      } finally {
        bells.delete(bell);
        signal.removeEventListener("abort", ring);
      }
    },
  };
}
