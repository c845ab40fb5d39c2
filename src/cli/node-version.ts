/** Strips types by itself and brings SQLite. */
export const oldestNode = "22.18";

export function tooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [needsMajor = 0, needsMinor = 0] = oldestNode.split(".").map(Number);
  return major < needsMajor || (major === needsMajor && minor < needsMinor);
}
