import type {
  BreakerEvent,
  RequestEvent,
  ThriftEvent,
  UpstreamObserver,
  WarningEvent,
} from '../../src/upstream/observer.ts';

/** Remembers all it is told. */
export class RecordingObserver implements UpstreamObserver {
  readonly requests: RequestEvent[] = [];
  readonly thrifts: ThriftEvent[] = [];
  readonly warnings: string[] = [];
  readonly breakers: BreakerEvent[] = [];

  request(event: RequestEvent): void {
    this.requests.push(event);
  }

  thrift(event: ThriftEvent): void {
    this.thrifts.push(event);
  }

  warning(event: WarningEvent): void {
    this.warnings.push(event.message);
  }

  breaker(event: BreakerEvent): void {
    this.breakers.push(event);
  }
}
