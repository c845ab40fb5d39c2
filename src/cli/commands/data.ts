import type { Command } from "../command.ts";
import { commandPage } from "../help-pages.ts";

export const command: Command = {
  usage: "data [ls | digest | diff | copy | backup | restore | switch]",
  help: [
    "Moves and checks data without a migration. A store is named by its address: leveldb:PATH, lmdb:PATH, sqlite:FILE, files:DIR, postgres://…; one that an application has open and serves by door:SOCKET#NAME; a backup that is only read by backup:DIR. Rows are carried as bytes, keys and values as they are.",
    "Ctrl-C ends cleanly: a copy or restore goes on with the same command, a backup that was not finished is removed.",
  ],
  options: {},
  words: 0,
  run: (context) => {
    for (const line of commandPage("data", command, "move and check data", context.terminal.columns()))
      context.terminal.line(line);
    return Promise.resolve(0);
  },
};
