/** Loads a peer. @throws when it is not installed, saying how to install it */
export async function loadPeer<T>(name: string): Promise<T> {
  try {
    return (await import(import.meta.resolve(name))) as T;
  } catch (cause) {
    throw new Error(`${name} is not installed: run  npm ci --prefix bench`, { cause });
  }
}
