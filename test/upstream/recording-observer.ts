import type {
  BreakerEvent,
  RateLimitEvent,
  RequestEvent,
  UpstreamObserver,
  WarningEvent,
} from '../../src/upstream/observer.ts';

/** Remembers all it is told. */
export class RecordingObserver implements UpstreamObserver {
  readonly requests: RequestEvent[] = [];
  readonly rateLimits: RateLimitEvent[] = [];
  readonly warnings: string[] = [];
  readonly breakers: BreakerEvent[] = [];

  request(event: RequestEvent): void {
    this.requests.push(event);
  }

  rateLimit(event: RateLimitEvent): void {
    this.rateLimits.push(event);
  }

  warning(event: WarningEvent): void {
    this.warnings.push(event.message);
  }

  breaker(event: BreakerEvent): void {
    this.breakers.push(event);
  }
}
