/**
 * Globs over tags: `*`, `?`, `[a-z]`, `[!a-z]` and `{1.26,1.27}`. Patterns come out of lists that others
 * have written, and tags from registries: so all the ways in which a tag may fit are followed at the same
 * time, and none is ever tried again, as a regular expression would.
 */

/** What one place of a pattern takes. */
type Part =
  | { readonly kind: 'any' }
  | { readonly kind: 'one'; readonly fits: (character: string) => boolean }
  | { readonly kind: 'either'; readonly of: readonly (readonly Part[])[] };

/** Whether a tag fits a pattern. Nothing fits one with a bracket that is never closed. */
export function tagGlob(pattern: string): (tag: string) => boolean {
  const parts = new Parser(pattern).all();
  return (tag) => after(parts, tag, new Set([0])).has(tag.length);
}

/** Where in a text one can be behind these parts, from where one was before them. */
function after(
  parts: readonly Part[],
  text: string,
  before: ReadonlySet<number>,
): ReadonlySet<number> {
  let here = before;
  for (const part of parts) {
    if (here.size === 0) break;
    const next = new Set<number>();
    if (part.kind === 'any') {
      for (let at = Math.min(...here); at <= text.length; at++) next.add(at);
    } else if (part.kind === 'one') {
      for (const at of here) if (at < text.length && part.fits(text.charAt(at))) next.add(at + 1);
    } else {
      for (const way of part.of) for (const at of after(way, text, here)) next.add(at);
    }
    here = next;
  }
  return here;
}

class Parser {
  readonly #pattern: string;
  #at = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  all(): Part[] {
    return this.#sequence('');
  }

  /** Up to one of these characters, or to the end. */
  #sequence(ends: string): Part[] {
    const parts: Part[] = [];
    while (this.#at < this.#pattern.length && !ends.includes(this.#pattern.charAt(this.#at))) {
      parts.push(this.#part());
    }
    return parts;
  }

  #part(): Part {
    const character = this.#pattern.charAt(this.#at++);
    if (character === '*') return { kind: 'any' };
    if (character === '?') return { kind: 'one', fits: () => true };
    if (character === '[') return this.#class();
    if (character === '{') return this.#either();
    return { kind: 'one', fits: (each) => each === character };
  }

  /** `[a-z]`, from behind its bracket. */
  #class(): Part {
    const [whole, not, members] =
      /^([!^]?)([^\]]+)\]/.exec(this.#pattern.slice(this.#at)) ?? ([] as (string | undefined)[]);
    if (whole === undefined || members === undefined) return nothing;
    this.#at += whole.length;
    const ranges = [...members.matchAll(/(.)-(.)|./g)].map(
      ([one, first = one, last = one]) => [first, last] as const,
    );
    const isIn = (each: string): boolean =>
      ranges.some(([first, last]) => first <= each && each <= last);
    return { kind: 'one', fits: (each) => isIn(each) === (not === '') };
  }

  /** `{a,b}`, from behind its bracket. */
  #either(): Part {
    const of: Part[][] = [];
    do {
      of.push(this.#sequence(',}'));
    } while (this.#pattern.charAt(this.#at++) === ',');
    return this.#at > this.#pattern.length ? nothing : { kind: 'either', of };
  }
}

/** For what is never closed. */
const nothing: Part = { kind: 'one', fits: () => false };
