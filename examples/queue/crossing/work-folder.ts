import { join, resolve } from "node:path";

/** Folder of the server that is crossed: `WORK_ORDERS_DIR`, or the one `npm start` makes. */
export const workFolder = (): string =>
  resolve(process.env["WORK_ORDERS_DIR"] ?? join(import.meta.dirname, "../work/current"));
