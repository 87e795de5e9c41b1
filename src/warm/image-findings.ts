import { RegistryError } from '../oci/errors.ts';

/** An image that a text names. */
export interface FoundImage {
  /** As written: without a registry in front it is Docker Hub's. Its tag may be a pattern. */
  readonly reference: string;
  /** For which platforms, where the text says so; `all` among them is all. */
  readonly platforms?: readonly string[];
  /** How many of the newest versions that fit the pattern. */
  readonly newest?: number;
}

/** What stands where an image should, and is none. */
export interface FindFault {
  /** From 1; undefined where the form has none that help, such as JSON. */
  readonly line: number | undefined;
  readonly message: string;
}

/** What a text names. */
export interface FoundImages {
  /** Each once, in the order of the text. */
  readonly images: readonly FoundImage[];
  /** The first {@link maxFaults} of them. */
  readonly faults: readonly FindFault[];
}

/** Room for the largest clusters; beyond it somebody has taken the wrong file. */
export const maxImages = 10_000;

/** Of a file that is something else altogether, a few lines tell as much as all. */
export const maxFaults = 100;

/** Gathers what is found, each image once. */
export class ImageFindings implements FoundImages {
  readonly #byKey = new Map<string, FoundImage>();
  readonly #faults: FindFault[] = [];

  get images(): FoundImage[] {
    return [...this.#byKey.values()];
  }

  get faults(): readonly FindFault[] {
    return this.#faults;
  }

  /** @throws RegistryError REQUEST_INVALID where there are far too many */
  add(image: FoundImage): void {
    const { reference, platforms = [], newest = 0 } = image;
    const key = [familiar(reference), newest, ...platforms].join(' ');
    if (this.#byKey.has(key)) return;
    if (this.#byKey.size === maxImages) {
      throw new RegistryError('REQUEST_INVALID', `there are more than ${maxImages} images in it`);
    }
    this.#byKey.set(key, image);
  }

  fault(line: number | undefined, message: string): void {
    if (this.#faults.length < maxFaults) this.#faults.push({ line, message });
  }
}

/** One text for the ways in which users and container runtimes write one image. */
function familiar(reference: string): string {
  const name = reference
    .replace(/^(?:registry-1\.|index\.)?docker\.io\//, '')
    .replace(/^library\//, '');
  const isComplete = name.includes('@') || name.includes(':', name.lastIndexOf('/') + 1);
  return isComplete ? name : `${name}:latest`;
}
