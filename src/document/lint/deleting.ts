/** Things a build makes again: to delete them loses nothing. */
const derived =
  /^(?:\.\/|[\w.-]+\/)*(?:build|dist|out|target|node_modules|__pycache__|\.cache|cache|coverage|\.next|\.nuxt|\.turbo|bin\/obj|obj|tmp|temp|vendor|venv|\.venv|\*\.(?:o|pyc|tmp|log|class)|[\w./-]*\.(?:tmp|pid|lock|o|pyc))\/?\*?$|^\/tmp\/|^\/var\/tmp\/|^\$\{?TMP/iu;

/** Whether a command deletes only what is made again: `rm -rf node_modules dist`. */
export function isDerived(shell: string): boolean {
  const found = /^(?:sudo\s+)?(?:rm|rmdir|del|Remove-Item)\s+(.*)$/s.exec(shell.trim());
  if (found === null || /[;&|]/.test(shell)) return false;
  const paths = (found[1] ?? "").split(/\s+/).filter((word) => word !== "" && !word.startsWith("-"));
  return paths.length > 0 && paths.every((path) => derived.test(path.replace(/^["']|["']$/g, "")));
}

/** Words of steps that take something away for good, in the languages plans are written in. */
const words =
  /\b(?:delete|drop|destroy|purge|wipe|erase|decommission|tear down)\b|\b(?:remove|retire|shut ?down|switch off|turn off)\b[^.;]{0,25}\b(?:old|legacy|existing|previous|original)\b|\b(?:old|legacy|existing)\b[^.;]{0,25}\b(?:removed|deleted|retired)\b|(?:^|\s)(?:lösch|abschalt|abbau)|(?<!\p{L})(?:löschen|gelöscht|abschalten|stilllegen|außer betrieb|entfernen)(?!\p{L})|(?<!\p{L})(?:supprimer|suppression|démantel\p{L}*|détruire)(?!\p{L})|(?<!\p{L})(?:eliminar|borrar|desmantelar|excluir|desativar|eliminare|rimuovere|dismettere|verwijder\p{L}*|uitzetten|usun\p{L}*|usuń|skasowa\p{L}*|удал\p{L}*|вывести из|уничтож\p{L}*)(?!\p{L})|删除|下线|移除|削除|廃止|撤去|삭제|폐기/iu;
/** What such a word may stand for without any loss: branches, flags, drafts. */
const harmless = /feature flags?|\bflags?\b|branch|temporary|temp files?|comment|todo|zweig|temporär/iu;
const negated = /\b(?:do not|don't|never|nicht|kein\p{L}*|ne pas|no se|не|without|ohne|instead of)\b/iu;

export const deletes = (text: string): boolean =>
  words.test(text) && !harmless.test(text) && !negated.test(text);
