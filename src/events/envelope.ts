import { randomUUID } from 'node:crypto';
import type { ContentEvent } from './content-event.ts';

/** The Content-Type of what is posted (CNCF distribution, notifications/event.go). */
export const eventsMediaType = 'application/vnd.docker.distribution.events.v2+json';

/** Which Baleen tells. */
export interface EventSource {
  /** Host and port. */
  readonly addr: string;
  /** Another one after each start. */
  readonly instanceID: string;
}

/** An event as CNCF distribution writes it, as one line of JSON. Its id is new each time. */
export function eventLine(event: ContentEvent, source: EventSource): string {
  const { request, account } = event;
  return JSON.stringify({
    id: randomUUID(),
    timestamp: new Date(event.at).toISOString(),
    action: event.action,
    target: {
      mediaType: event.mediaType,
      size: event.size,
      digest: event.digest,
      // What older receivers read in place of size.
      length: event.size,
      repository: event.repository,
      fromRepository: event.fromRepository,
      url: event.url,
      tag: event.tag,
      references: event.references?.(),
    },
    // Both are there in every event of CNCF distribution, if empty.
    request: { ...request },
    actor: { ...(account !== undefined && { name: account }) },
    source,
  });
}

/** The body of a request, of lines that {@link eventLine} made. */
export function envelopeOf(lines: readonly string[]): string {
  return `{"events":[${lines.join(',')}]}`;
}
