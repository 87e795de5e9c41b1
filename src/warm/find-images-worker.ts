/*
 * The thread that looks for images in long texts: YAML takes a second a megabyte, for which no client
 * may wait. It is not imported but run: see find-images-aside.ts.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { toRegistryError } from '../oci/errors.ts';
import { findImages } from './find-images.ts';
import type { FoundAside } from './find-images-aside.ts';

/** Settles with what can be sent: data, and no objects with methods. */
async function find(text: string): Promise<FoundAside> {
  try {
    const { images, faults } = await findImages(text);
    return { images, faults };
  } catch (error) {
    const { code, message } = toRegistryError(error);
    return { code, message };
  }
}

parentPort?.postMessage(await find(workerData as string));
