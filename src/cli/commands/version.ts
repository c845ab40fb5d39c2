import type { Command } from "../command.ts";

export const command: Command = {
  usage: "version",
  help: [],
  options: {},
  words: 0,
  run({ terminal, json, version }) {
    if (json) terminal.json({ cutover: version, node: process.versions.node });
    else terminal.line(`cutover ${version} (node ${process.versions.node})`);
    return Promise.resolve(0);
  },
};
