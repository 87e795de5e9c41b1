/** The manifest formats that are fetched, stored and served. */
export const mediaTypes = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
} as const;

const manifestTypes: ReadonlySet<string> = new Set(Object.values(mediaTypes));
const indexTypes: ReadonlySet<string> = new Set([mediaTypes.ociIndex, mediaTypes.dockerList]);

/**
 * The Accept header of every manifest request upstream. Always the full set: a narrow one makes
 * quay.io convert to schema 1, and must never decide what is cached.
 */
export const manifestAccept = [...manifestTypes].join(', ');

/** Whether a media type (without parameters) is one of the four manifest formats. */
export function isManifestType(mediaType: string): boolean {
  return manifestTypes.has(mediaType);
}

/** Whether a media type is an image index or a Docker manifest list. */
export function isIndexType(mediaType: string): boolean {
  return indexTypes.has(mediaType);
}

/** The media type of a Content-Type header without its parameters, in lower case; '' where there is none. */
export function bareMediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}
