import { isDescriptor, type Descriptor } from '../oci/descriptor.ts';
import { bareMediaType, mediaTypes } from '../oci/media-type.ts';
import { isTag } from '../oci/reference.ts';
import { invalid, type AnswerHead } from './answer-check.ts';

/**
 * The tags of one page of `tags/list`; what is no tag is left out.
 * @throws RegistryError UPSTREAM_INVALID
 */
export function readTags(body: Buffer, head: AnswerHead): string[] {
  // Some registries write null for none.
  const list = parseObject(body, head)['tags'] ?? [];
  if (!Array.isArray(list)) throw invalid(head, 'a list of tags that is none');
  return list.filter((tag): tag is string => typeof tag === 'string' && isTag(tag));
}

/**
 * The descriptors of one page of the referrers API; undefined where the answer is no image index,
 * which is how the specification tells a registry without that API.
 * @throws RegistryError UPSTREAM_INVALID
 */
export function readReferrers(body: Buffer, head: AnswerHead): Descriptor[] | undefined {
  if (bareMediaType(head.headers['content-type']) !== mediaTypes.ociIndex) return undefined;
  const list = parseObject(body, head)['manifests'] ?? [];
  if (!Array.isArray(list)) throw invalid(head, 'a list of referrers that is none');
  return list.filter(isDescriptor);
}

function parseObject(body: Buffer, head: AnswerHead): Record<string, unknown> {
  try {
    return Object(JSON.parse(body.toString('utf8'))) as Record<string, unknown>;
  } catch {
    throw invalid(head, 'a list that is not JSON');
  }
}
