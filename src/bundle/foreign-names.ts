import { RegistryError } from '../oci/errors.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import { isTag } from '../oci/reference.ts';
import type { ImagePlace } from '../registry/image-place.ts';

/** How the images of an archive are called that others have written. */
export class ForeignNames {
  readonly #given: string | undefined;
  readonly #placeOf: (repository: string) => ImagePlace;
  #isUsed = false;

  /** @param given a name for what has none, or only a tag: `NAME` or `NAME:TAG` */
  constructor(given: string | undefined, placeOf: (repository: string) => ImagePlace) {
    this.#given = given;
    this.#placeOf = placeOf;
  }

  /**
   * The full name of an image.
   * @param said what the archive calls it: a name, only a tag, or nothing
   * @throws RegistryError REQUEST_INVALID where it has no name; NAME_INVALID, NAME_UNKNOWN, TAG_INVALID
   */
  of(said: string | undefined): string {
    if (said !== undefined && !isTag(said)) return this.#full(said);
    if (this.#given === undefined) {
      const what =
        said === undefined
          ? 'an image in it has no name'
          : `an image in it is only called "${said}"`;
      throw new RegistryError('REQUEST_INVALID', `${what}: say what it is with --name NAME:TAG`);
    }
    this.#isUsed = true;
    const { tag } = parseImageReference(this.#given);
    return this.#full(
      tag === undefined && said !== undefined ? `${this.#given}:${said}` : this.#given,
    );
  }

  /** @throws RegistryError REQUEST_INVALID where a name was given to nothing */
  assertUsed(): void {
    if (this.#given === undefined || this.#isUsed) return;
    throw new RegistryError('REQUEST_INVALID', 'all images in it have names: leave --name out');
  }

  #full(text: string): string {
    const { name, tag, digest } = parseImageReference(text);
    const { part, key, repository } = this.#placeOf(name);
    const full = part === 'cached' ? key : repository;
    return digest === undefined ? `${full}:${tag ?? 'latest'}` : `${full}@${digest}`;
  }
}
