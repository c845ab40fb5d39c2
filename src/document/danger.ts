import type { Danger } from "./work-finding.ts";

type Rule = readonly [RegExp, Danger["kind"], boolean, string];

const command = (words: string): string => String.raw`(?:^|[\s;&|(\`])(?:${words})`;

/** Order does not matter; every rule that fits counts. The text is a command line, not a program: it is looked at, never run. */
const rules: readonly Rule[] = [
  [
    new RegExp(command("(?:sudo\\s+)?(?:rm|rmdir|unlink|shred|srm|Remove-Item|del|erase|rd)\\s")),
    "deletes",
    true,
    "deletes files",
  ],
  [
    /\bfind\b.*\s-delete\b|\bfind\b.*-exec\s+rm\b|\bxargs\b.*\brm\b/,
    "deletes",
    true,
    "deletes what it finds",
  ],
  [/\brsync\b.*\s--delete/, "deletes", true, "deletes files that the source lacks"],
  [/\bgit\s+clean\b/, "deletes", true, "deletes files that are not under version control"],
  [
    /\bgit\s+(?:branch\s+(?:-D|-d|--delete)|tag\s+(?:-d|--delete)|worktree\s+remove|stash\s+(?:drop|clear))/,
    "deletes",
    true,
    "deletes branches, tags or stashes",
  ],
  [
    /\bdrop\s+(?:table|database|schema|index|view|column|user|collection|keyspace|materialized|type|function|trigger)\b|\bdropdb\b|\.drop(?:Database)?\(/i,
    "deletes",
    true,
    "drops something of a database",
  ],
  [
    /\btruncate\s+(?:table\s+)?\w|\bdelete\s+from\b|\b(?:flushall|flushdb)\b|\.delete(?:Many|One)\(|\bdeleteMany\b/i,
    "deletes",
    true,
    "deletes rows or keys",
  ],
  [
    /\bupdate\s+\w+(?:\.\w+)?\s+set\b|\balter\s+table\b/i,
    "overwrites",
    true,
    "changes rows or tables in place",
  ],
  [
    /\bkubectl\s+(?:delete|drain)\b|\bhelm\s+(?:uninstall|delete)\b|\boc\s+delete\b/,
    "deletes",
    true,
    "deletes parts of a cluster",
  ],
  [
    /\bterraform\s+destroy\b|\bpulumi\s+destroy\b|\bcdk\s+destroy\b|\bvagrant\s+destroy\b/,
    "deletes",
    true,
    "destroys machines",
  ],
  [
    /\bdocker(?:-compose|\s+compose)?\s+(?:rm|rmi|down\b.*-v|(?:system|volume|image|container)\s+(?:prune|rm)|prune)/,
    "deletes",
    true,
    "deletes containers, images or volumes",
  ],
  [
    /\b(?:aws|gsutil|gcloud|az|mc)\b.*\s(?:rm|rb|delete|remove|delete-\S+|terminate-\S+)\b/,
    "deletes",
    true,
    "deletes something in the cloud",
  ],
  [
    /\b(?:userdel|groupdel|lvremove|vgremove|zfs\s+destroy|zpool\s+destroy|wipefs|mkfs(?:\.\w+)?|fdisk|parted)\b/,
    "deletes",
    true,
    "destroys accounts or volumes",
  ],
  [
    /\bapt(?:-get)?\s+(?:remove|purge|autoremove)\b|\b(?:yum|dnf)\s+(?:remove|erase)\b|\bnpm\s+unpublish\b/,
    "deletes",
    false,
    "removes packages",
  ],
  [/\bdd\b.*\bof=/, "overwrites", true, "overwrites a device or file"],
  [
    /(?:^|[^>0-9&-])>(?![>&=]|\s*\/dev\/null)\s*[\w$./~"'{]/,
    "overwrites",
    false,
    "overwrites a file with its output",
  ],
  [/\b(?:sed|perl)\s+(?:\S+\s+)*-\w*i/, "overwrites", false, "edits files in place"],
  [
    /\b(?:pg_restore|mysqlimport|mongorestore)\b|\b(?:psql|mysql|sqlite3)\b.*<\s*\S/,
    "overwrites",
    true,
    "writes into a database",
  ],
  [
    new RegExp(command("(?:sudo\\s+)?(?:mv|move|Move-Item|rename)\\s")),
    "moves",
    false,
    "moves files; what lies at the target is replaced",
  ],
  [/\bgit\s+reset\s+--hard\b/, "overwrites", true, "throws away changes that were not committed"],
  [
    /\bgit\s+(?:checkout|switch|restore)\b(?!\s+-b)(?!\s+-c)/,
    "overwrites",
    false,
    "replaces the working tree",
  ],
  [
    /\bgit\s+push\b.*(?:\s-f\b|\s--force|\s--mirror|\s--delete|\s\+\w)/,
    "rewrites-history",
    true,
    "rewrites what others have",
  ],
  [
    /\bgit\s+(?:rebase|filter-branch|filter-repo|commit\s+--amend)\b/,
    "rewrites-history",
    false,
    "rewrites history",
  ],
  [
    /\bgit\s+push\b|\b(?:npm|pnpm|yarn|cargo|poetry)\s+publish\b|\btwine\s+upload\b|\bdocker\s+push\b|\bgh\s+release\b/,
    "remote",
    false,
    "publishes to others",
  ],
  [
    /(?:^|[\s;&|])(?:ssh|scp|sftp|ansible(?:-playbook)?)\s|\brsync\b.*\w:/,
    "remote",
    false,
    "acts on another machine",
  ],
  [
    /\bkubectl\s+(?:apply|create|scale|rollout|patch|set|replace|edit|cordon)\b|\bhelm\s+(?:install|upgrade|rollback)\b|\bterraform\s+apply\b/,
    "remote",
    false,
    "changes a cluster",
  ],
  [
    /\bcurl\b.*\s(?:-X\s*|--request[ =])(?:POST|PUT|PATCH|DELETE)\b|\bcurl\b.*\s(?:-d|--data)\b/,
    "remote",
    false,
    "changes something behind an address",
  ],
  [
    /\b(?:curl|wget)\b[^|]*\|\s*(?:sudo\s+)?(?:ba|z|da|k)?sh\b|\b(?:ba|z)?sh\s+<\(\s*(?:curl|wget)|\biex\b.*\b(?:iwr|DownloadString)/,
    "downloads-and-runs",
    true,
    "runs a program from the network unseen",
  ],
  [
    /(?:^|[\s;&|])(?:sudo|doas|su)\s|\bchmod\s+(?:-R\s+)?(?:777|a\+rwx)|\bchown\s+-R\b/,
    "privileged",
    false,
    "uses the rights of the administrator or opens files to everybody",
  ],
  [
    /(?:^|[\s;&|])(?:shutdown|reboot|halt|poweroff|init\s+[06])\b|\b(?:systemctl|service)\s+(?:\S+\s+)?(?:stop|disable|restart|mask)\b|(?:^|[\s;&|])(?:kill|pkill|killall)\s/,
    "privileged",
    false,
    "stops something that runs",
  ],
  [/:\(\)\s*\{\s*:\|:&\s*\}\s*;\s*:/, "privileged", true, "starts processes without end"],
  [/>\s*\/dev\/(?:sd|nvme|hd|disk)\w*/, "overwrites", true, "overwrites a disk"],
  [
    /\beval\b|\bbase64\s+(?:-d|--decode)\b.*\|\s*(?:ba|z)?sh\b/,
    "downloads-and-runs",
    true,
    "runs text that cannot be read here",
  ],
];

/** What a command would change or destroy, by its words. An empty list says that nothing known was seen, not that it is harmless. */
export function dangersOf(shell: string): readonly Danger[] {
  const text = shell.length > 4_000 ? shell.slice(0, 4_000) : shell;
  const found = rules
    .filter(([pattern]) => pattern.test(text))
    .map(([, kind, irreversible, why]): Danger => ({ kind, irreversible, why }));
  return found.filter(
    (danger, at) => found.findIndex((each) => each.kind === danger.kind && each.why === danger.why) === at,
  );
}
