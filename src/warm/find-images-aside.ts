import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { RegistryError, type ErrorCode } from '../oci/errors.ts';
import { findImages } from './find-images.ts';
import type { FoundImages } from './image-findings.ts';

/** What the thread answers. */
export type FoundAside = FoundImages | { readonly code: ErrorCode; readonly message: string };

/** Characters that take less time than a thread takes to start. */
const short = 16 * 1024;

/** Milliseconds that a text may take; the largest take a few seconds. */
const patience = 60_000;

/**
 * {@link findImages} for a process that serves others meanwhile: what takes long is done in a thread of
 * its own, with memory of its own.
 * @throws RegistryError REQUEST_INVALID, also where it takes more time or memory than anything sensible
 */
export async function findImagesAside(text: string): Promise<FoundImages> {
  if (text.length <= short) return findImages(text);
  // Built, the file beside this one ends in .js.
  const file = import.meta.url.endsWith('.ts')
    ? './find-images-worker.ts'
    : './find-images-worker.js';
  const worker = new Worker(new URL(file, import.meta.url), {
    name: 'lists',
    // Flags of the process that tune its heap or its tests are none of a thread's.
    execArgv: [],
    workerData: text,
    resourceLimits: { maxOldGenerationSizeMb: 1024 },
  });
  worker.unref();
  try {
    const [found] = (await once(worker, 'message', { signal: AbortSignal.timeout(patience) })) as [
      FoundAside,
    ];
    if ('code' in found) throw new RegistryError(found.code, found.message);
    return found;
  } catch (cause) {
    if (cause instanceof RegistryError) throw cause;
    throw new RegistryError(
      'REQUEST_INVALID',
      'looking for images in it takes too much time or memory',
      { cause },
    );
  } finally {
    await worker.terminate();
  }
}
