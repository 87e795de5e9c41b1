import { join } from 'node:path';
import picomatch from 'picomatch';
import type { HoldPolicy } from '../access/hold-policy.ts';
import { toDocument, type VerdictDocument } from '../access/verdict.ts';
import { Verdicts } from '../access/verdicts.ts';
import type { Config } from '../config/config.ts';
import { childrenOf, ImageHold } from '../http/image-hold.ts';
import type { OperationsApi } from '../http/operations-api.ts';
import type { Content } from '../http/content.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import { maxManifestSize } from '../oci/manifest.ts';
import type { Route, RouteTable } from '../registry/resolve-route.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Layout } from '../store/layout.ts';
import type { StoredManifest } from '../registry/manifest-cache.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createHoldObserver } from '../telemetry/notification-observers.ts';
import type { Reloadable } from './reload.ts';
import { verdictParameters, verdictQuery } from './verdict-parameters.ts';

export interface LiveHoldOptions {
  readonly config: Config;
  readonly layout: Layout;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Where images are looked up that verdicts name. */
export interface ImageSource {
  /** As a client would be answered who asks for it. @throws RegistryError */
  find(image: string): Promise<StoredManifest>;
  /** The bytes of a manifest that is stored, whatever repository it belongs to. */
  read(digest: Digest): Promise<Buffer | undefined>;
}

/** Looks images up as clients do, but past what is held back. */
export function imageSource(
  table: RouteTable,
  manifests: Content<Route>['manifests'],
  store: BlobStore,
): ImageSource {
  return {
    async find(image) {
      const { name, tag, digest } = parseImageReference(image);
      const reference = digest ?? tag;
      if (reference === undefined) {
        throw new RegistryError('REQUEST_INVALID', `${image} names neither a tag nor a digest`);
      }
      return manifests.get(table.resolve({ name }), reference);
    },
    read: (digest) => store.read(digest, maxManifestSize),
  };
}

/** What `/api/verdicts` answers about one image. */
type Answer = VerdictDocument & {
  /** The index of which this was said, where it was not said of the image itself. */
  readonly through?: string;
};

/** What is held back by the configuration in force, and what has been said about images. */
export class LiveHold implements Reloadable {
  readonly hold: ImageHold;
  readonly #verdicts: Verdicts;

  private constructor(hold: ImageHold, verdicts: Verdicts) {
    this.hold = hold;
    this.#verdicts = verdicts;
  }

  /** @throws the file system's error where what was said cannot be read */
  static async open({ config, layout, metrics, logger }: LiveHoldOptions): Promise<LiveHold> {
    const verdicts = await Verdicts.open({
      folder: join(layout.root, 'verdicts'),
      tmpDir: layout.temporary,
      onNotWritten: (digest, error) =>
        logger.warn('what an index names could not be written beside its verdict', {
          digest,
          error,
        }),
    });
    metrics.notifications.observeVerdicts(() => verdicts.size);
    const observer = createHoldObserver(metrics, logger);
    return new LiveHold(new ImageHold(policyOf(config), verdicts, observer), verdicts);
  }

  prepare(next: Config): () => void {
    const policy = policyOf(next);
    return () => {
      this.hold.policy = policy;
    };
  }

  /** `GET` and `POST /api/verdicts` */
  api(images: ImageSource): OperationsApi {
    return {
      tells: { verdicts: (parameters) => this.#tell(verdictQuery(parameters), images) },
      does: { verdicts: (parameters) => this.#say(parameters, images) },
    };
  }

  #tell(image: string | undefined, images: ImageSource): Promise<Answer> | AsyncIterable<Answer> {
    return image === undefined ? this.#all() : this.#answer(image, images);
  }

  /** Many may be there: they go out one by one. */
  async *#all(): AsyncGenerator<Answer> {
    for (const said of this.#verdicts.all()) yield await Promise.resolve(toDocument(said));
  }

  async #answer(image: string, images: ImageSource): Promise<Answer> {
    const digest = isDigest(image) ? image : (await images.find(image)).digest;
    const said = this.#verdicts.of(digest, Date.now());
    if (said === undefined) return { digest, verdict: 'none', at: new Date().toISOString() };
    const document = toDocument(said);
    return said.digest === digest ? document : { ...document, digest, through: said.digest };
  }

  async #say(given: object, images: ImageSource): Promise<Answer> {
    const { image, verdict, reason, by, expiresIn } = verdictParameters(given);
    const { digest, covers } = await lookUp(image, images);
    const at = Date.now();
    if (verdict === 'none') {
      await this.#verdicts.remove(digest);
      return { digest, verdict, at: new Date(at).toISOString() };
    }
    const expires = expiresIn === undefined ? undefined : at + expiresIn;
    await this.#verdicts.put({ digest, verdict, reason, by, at, expires, covers });
    return this.#answer(digest, images);
  }
}

/** An image's digest, and the manifests that it names where it is an index that is here. */
async function lookUp(
  image: string,
  images: ImageSource,
): Promise<{ digest: Digest; covers: readonly Digest[] }> {
  if (!isDigest(image)) {
    const found = await images.find(image);
    return { digest: found.digest, covers: childrenOf(found) };
  }
  // A verdict may come before the image, or be about what is in no cache: the index is opened
  // when it is served then.
  const bytes = await images.read(image).catch(() => undefined);
  return { digest: image, covers: bytes === undefined ? [] : childrenIn(bytes) };
}

function childrenIn(bytes: Buffer): readonly Digest[] {
  try {
    return childrenOf({ bytes, mediaType: '' });
  } catch {
    // It is a layer.
    return [];
  }
}

/** Undefined where nothing is held back, so that nobody has to ask. */
function policyOf({ hold }: Config): HoldPolicy | undefined {
  if (hold.repositories.length === 0) return undefined;
  return {
    matches: picomatch([...hold.repositories]),
    onUnknown: hold.on_unknown,
    message: hold.message,
    exempt: new Set(hold.except.accounts),
  };
}
