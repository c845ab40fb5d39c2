/** A process of its own for one side, so that the garbage of one burdens no other. Told what to do over IPC. */
import type { Side, SideSpec } from "./side.ts";
import { type Tasks, tasksOf } from "./tasks.ts";

const spec = JSON.parse(process.argv[2] ?? "") as SideSpec;
process.on("disconnect", () => process.exit(1));

export interface Request {
  readonly id: number;
  readonly task: keyof Tasks;
  readonly options: never;
}

export type Answer =
  { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: string };

const say = (answer: Answer): void => {
  process.send?.(answer);
};
const told = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

try {
  const { openSide } = (await import(`./sides/${spec.kind}.ts`)) as {
    openSide: (spec: SideSpec) => Promise<Side>;
  };
  const tasks = tasksOf(await openSide(spec));
  process.on("message", ({ id, task, options }: Request) => {
    tasks[task](options).then(
      (value) => say({ id, value }),
      (error: unknown) => say({ id, error: told(error) }),
    );
  });
  say({ id: 0, value: {} });
} catch (error) {
  say({ id: 0, error: told(error) });
}
