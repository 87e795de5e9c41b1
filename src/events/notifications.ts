import { join } from 'node:path';
import type { ContentEvent, EventAction } from './content-event.ts';
import { Endpoint, type EndpointObserver, type EndpointOptions } from './endpoint.ts';
import type { EndpointStatus } from './endpoint.ts';
import { eventLine, type EventSource } from './envelope.ts';
import { EventQueue } from './event-queue.ts';

export interface NotificationsOptions {
  /** Where each endpoint has its folder. */
  readonly folder: string;
  /** For files on their way to their name; on the same file system. */
  readonly tmpDir: string;
  readonly source: () => EventSource;
  readonly observer: EndpointObserver;
}

/** Milliseconds for which what nobody waits for is gathered, so that pulls cost one write together. */
const gathering = 100;

/** Events that wait for the disk in memory; beyond it, the disk has hung, and they are lost. */
const most = 10_000;

/** An endpoint that delivers. */
interface Running {
  readonly endpoint: Endpoint;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/**
 * Tells endpoints what happens to content. What is told is put into each one's queue on disk, and
 * goes out from there: nobody ever waits for a receiver.
 */
export class Notifications {
  readonly #options: NotificationsOptions;
  #running: ReadonlyMap<string, Running> = new Map();
  #heard: ReadonlySet<EventAction> = new Set();
  /** Endpoints that are no longer wanted, until their queues are closed. */
  readonly #leaving = new Map<string, Promise<void>>();
  #pending: ContentEvent[] = [];
  #isDurable = false;
  #timer: NodeJS.Timeout | undefined;
  /** What was taken from memory is being written. */
  #writing: Promise<void> = Promise.resolve();
  /** What came since will be, when that is done. */
  #following: Promise<void> | undefined;

  constructor(options: NotificationsOptions) {
    this.#options = options;
  }

  /**
   * Puts others in the place of all endpoints. One that goes keeps its queue on disk, for when it
   * comes back.
   */
  configure(wanted: readonly EndpointOptions[]): void {
    const before = this.#running;
    const running = new Map<string, Running>();
    for (const settings of wanted) {
      const same = before.get(settings.name);
      same?.endpoint.configure(settings);
      running.set(settings.name, same ?? this.#start(settings));
    }
    this.#running = running;
    this.#heard = new Set(wanted.flatMap(({ filter }) => [...filter.actions]));
    for (const [name, gone] of before) if (!running.has(name)) this.#leave(name, gone);
  }

  /** Whether anybody wants to hear of such things at all: asked for every pull there is. */
  hears(action: EventAction): boolean {
    return this.#heard.has(action === 'mount' ? 'push' : action);
  }

  /** Whether anybody wants to hear of this: asked before the rest of the event is put together. */
  wants(event: Pick<ContentEvent, 'action' | 'kind' | 'repository'>): boolean {
    for (const { endpoint } of this.#running.values()) if (endpoint.wants(event)) return true;
    return false;
  }

  /** Tells of something that nobody waits for: it is on its way to the disk soon after. */
  tell(event: ContentEvent): void {
    if (!this.#keep(event)) return;
    this.#timer ??= setTimeout(() => void this.#flush(), gathering).unref();
  }

  /**
   * Tells of something that is not to be acknowledged before this settles: the event is on disk
   * then, or is counted as lost. Never rejects.
   */
  async record(event: ContentEvent): Promise<void> {
    if (!this.#keep(event)) return;
    this.#isDurable = true;
    await this.#flush();
  }

  /** How the endpoints stand. */
  status(): EndpointStatus[] {
    return [...this.#running.values()].map(({ endpoint }) => endpoint.status());
  }

  /** Puts on disk what is in memory, and stops. */
  async close(): Promise<void> {
    await this.#flush();
    this.configure([]);
    await Promise.all(this.#leaving.values());
  }

  #keep(event: ContentEvent): boolean {
    if (!this.wants(event)) return false;
    if (this.#pending.length < most) {
      this.#pending.push(event);
      return true;
    }
    for (const { endpoint } of this.#running.values()) {
      if (endpoint.wants(event)) endpoint.lost(1, 'disk', 'nothing is written any more');
    }
    return false;
  }

  #start(settings: EndpointOptions): Running {
    const { name, queueSize: limit } = settings;
    const { folder, tmpDir, observer } = this.#options;
    const queue = new EventQueue({
      folder: join(folder, name),
      tmpDir,
      limit,
      // It may have gone a moment ago.
      free: this.#leaving.get(name),
      onDropped: (count, reason) => endpoint.lost(count, reason),
    });
    const endpoint = new Endpoint(settings, queue, observer);
    const stop = new AbortController();
    return { endpoint, stop, ended: endpoint.run(stop.signal) };
  }

  #leave(name: string, { endpoint, stop, ended }: Running): void {
    stop.abort(new Error('the endpoint is no longer wanted'));
    const left = ended
      .then(() => endpoint.close())
      // What waits is on disk; whether the folder is tidy matters to nobody.
      .catch(() => undefined)
      .finally(() => {
        if (this.#leaving.get(name) === left) this.#leaving.delete(name);
      });
    this.#leaving.set(name, left);
  }

  /** Settles when all that was told before is written. Who comes while something is being written shares the next write. */
  #flush(): Promise<void> {
    this.#following ??= this.#writing.then(() => {
      this.#following = undefined;
      this.#writing = this.#write();
      return this.#writing;
    });
    return this.#following;
  }

  async #write(): Promise<void> {
    const [events, isDurable] = [this.#pending, this.#isDurable];
    this.#pending = [];
    this.#isDurable = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (events.length === 0) return;
    const source = this.#options.source();
    const told = events.map((event) => ({ event, line: eventLine(event, source) }));
    const writes = [...this.#running.values()].map(async ({ endpoint }) => {
      const wanted = told.filter(({ event }) => endpoint.wants(event));
      const lines = wanted.map(({ line }) => line);
      if (lines.length > 0) await endpoint.enqueue(lines, isDurable);
    });
    await Promise.all(writes);
  }
}
