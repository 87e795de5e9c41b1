/** Where a bundle goes. */
export interface BundleOutput {
  /**
   * Writes bytes behind those before; they may change when it settles. Never called twice at once.
   * @throws what whoever takes them fails with
   */
  write(bytes: Buffer): Promise<void>;
  /** All has been written: from now on it looks finished, and survives a power cut. */
  finish(): Promise<void>;
  /** It never will be: what was written goes, as far as it can. Does not fail. */
  abandon(): Promise<void>;
}
