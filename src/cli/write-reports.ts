import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { renderHtml, renderMarkdown, type ReportExtras, type RunView } from "../report/index.ts";

export interface ReportFiles {
  readonly markdown: string;
  readonly html: string;
}

/** Writes both reports of a run into `folder` and tells their paths. */
export async function writeReports(
  folder: string,
  view: RunView,
  extras: ReportExtras,
): Promise<ReportFiles> {
  await mkdir(folder, { recursive: true });
  const files = { markdown: join(folder, `${view.run.id}.md`), html: join(folder, `${view.run.id}.html`) };
  await Promise.all([
    writeFile(files.markdown, renderMarkdown(view, extras)),
    writeFile(files.html, renderHtml(view, extras)),
  ]);
  return files;
}
