import picomatch from 'picomatch';
import { RegistryError } from '../oci/errors.ts';
import type { Tag } from '../oci/reference.ts';
import type { RepositoryName } from '../oci/repository-name.ts';

/** What clients may not do to what they have pushed. */
export interface HostedRulesOptions {
  /** Whether tags, manifests and blobs may be deleted. */
  readonly delete: boolean;
  /** Globs of repository names and of tags. */
  readonly rules: readonly {
    readonly repositories: readonly string[];
    readonly tags: readonly string[];
    readonly immutable: boolean;
  }[];
}

/**
 * Tags that change by their nature: that of the referrers tag schema (distribution specification,
 * "Referrers Tag Schema"), and those under which cosign adds signatures to an image.
 */
const collecting = /^sha(?:256|512)-[0-9a-f]{64}(?:\.(?:sig|att|sbom))?$/;

type Matcher = (name: string) => boolean;

/** The rules in force. */
export class HostedRules {
  #mayDelete: boolean;
  #immutable: readonly { readonly repositories: Matcher; readonly tags: Matcher }[];

  constructor({ delete: mayDelete, rules }: HostedRulesOptions) {
    this.#mayDelete = mayDelete;
    this.#immutable = rules
      .filter(({ immutable }) => immutable)
      .map(({ repositories, tags }) => ({
        repositories: picomatch([...repositories]),
        tags: picomatch([...tags]),
      }));
  }

  /** Puts others in force. */
  takeOver(others: HostedRules): void {
    this.#mayDelete = others.#mayDelete;
    this.#immutable = others.#immutable;
  }

  /** Whether a tag, once pushed, stays as it is. */
  isImmutable(repository: RepositoryName, tag: Tag): boolean {
    return (
      this.#immutable.some((rule) => rule.repositories(repository) && rule.tags(tag)) &&
      !collecting.test(tag)
    );
  }

  /** @throws RegistryError UNSUPPORTED where nothing may be deleted */
  assertDeletes(): void {
    if (this.#mayDelete) return;
    throw new RegistryError('UNSUPPORTED', 'nothing can be deleted here: hosted.delete is off');
  }
}
