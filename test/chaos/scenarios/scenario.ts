/** What a scenario gives to be printed, by name; numbers and short texts. */
export type Figures = Readonly<Record<string, string | number>>;

/** How large a scenario is played. */
export type Size = 'small' | 'full';

/** Something hard that has to go well: throws where it does not. */
export type Scenario = (size: Size, seed: number) => Promise<Figures>;

/** Fails a scenario with all that is known of why. */
export function expectThat(holds: boolean, what: string, known?: unknown): asserts holds {
  if (!holds) throw new Error(known === undefined ? what : `${what}: ${JSON.stringify(known)}`);
}

export const MiB = 1024 * 1024;
