import type { Catalog } from '../catalog/catalog.ts';
import { RegistryError } from '../oci/errors.ts';
import type { TagsAnswer } from '../registry/list-tags.ts';
import { hit } from '../registry/outcome.ts';
import type { HostedRoute } from '../registry/resolve-route.ts';

/** The tags of repositories that live here. */
export class HostedTags {
  readonly #catalog: Catalog;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** @throws RegistryError NAME_UNKNOWN: nothing was ever pushed there, or all of it deleted */
  async list({ key }: HostedRoute): Promise<TagsAnswer> {
    const tags = await this.#catalog.tags(key);
    if (tags.length === 0 && !(await this.#hasContent(key))) {
      throw new RegistryError('NAME_UNKNOWN');
    }
    return { tags, outcome: hit };
  }

  async #hasContent(key: HostedRoute['key']): Promise<boolean> {
    for (const kind of ['manifests', 'blobs'] as const) {
      if ((await this.#catalog.members(key, kind)).length > 0) return true;
    }
    return false;
  }
}
