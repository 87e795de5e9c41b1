import type { HostedCall } from './hosted-route.ts';
import type { ChangeObserver, ContentChange } from './observer.ts';
import { factsOf, type RequestFacts } from './request-facts.ts';

/** Tells of a change that is on disk. Its acknowledgement waits until those who want to know are sure to hear of it. */
export async function announce(
  observer: ChangeObserver | undefined,
  { request, context, route }: HostedCall,
  change: Omit<ContentChange, keyof RequestFacts | 'context' | 'route'>,
): Promise<void> {
  await observer?.changed({ ...factsOf(request), context, route, ...change });
}
