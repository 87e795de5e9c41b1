/** A real client that pulls through Baleen. */
export interface PullClient extends AsyncDisposable {
  /**
   * Pulls an image into an empty store.
   * @param repository within docker.io, such as `library/runnable`
   * @param reference `:<tag>` or `@<digest>`
   * @returns the digest that the client says it pulled
   */
  pull(repository: string, reference: string): Promise<string>;
  /** What the image pulled last prints when it runs, or what takes the place of running it. */
  output(): Promise<string>;
}
