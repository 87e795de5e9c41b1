import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Config, UpstreamConfig } from '../config/config.ts';
import { RouteTable, type RouteTableEntry } from '../registry/resolve-route.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { UpstreamStatus } from '../upstream/upstream-status.ts';
import { hostedNames } from './hosted-names.ts';
import type { Reloadable } from './reload.ts';
import { upstreamIdentity } from './upstream-identity.ts';

export interface LiveUpstreamsOptions {
  /** Builds the entries of a configuration, with the upstreams that are there already. */
  readonly create: (config: Config, existing: ReadonlyMap<string, Upstream>) => RouteTableEntry[];
  /** Whether a transfer is running that gets its bytes from this upstream. */
  readonly isInUse: (upstream: Upstream) => boolean;
  /**
   * Milliseconds for which one that was replaced is kept at least: longer than a question to it
   * may last, since each of its waits has a deadline.
   */
  readonly settle?: number;
  /** Milliseconds after which it is closed even if it is in use. */
  readonly longest?: number;
}

interface Held {
  readonly config: UpstreamConfig;
  readonly identity: string;
  readonly entry: RouteTableEntry;
}

/** How often a transfer is looked after that keeps a replaced upstream open. Milliseconds. */
const pause = 1_000;

/**
 * The upstreams in force. One that is configured as before stays the very object that it was, with
 * its breakers, its tokens and its running transfers. Whoever has found the way to another one
 * goes on with it to the end.
 */
export class LiveUpstreams implements Reloadable {
  /** Where requests find them; the same object for ever. */
  readonly table: RouteTable;
  readonly #options: LiveUpstreamsOptions;
  #held: ReadonlyMap<string, Held>;
  readonly #retired = new Set<Upstream>();

  /** @throws as {@link prepare} */
  constructor(config: Config, options: LiveUpstreamsOptions) {
    this.#options = options;
    this.#held = new Map();
    this.#held = this.#build(config);
    this.table = new RouteTable(
      entriesOf(this.#held),
      config.default_upstream,
      hostedNames(config),
    );
  }

  /** @throws where a `ca` cannot be read, or holds no certificate */
  prepare(next: Config): () => void {
    const held = this.#build(next);
    return () => {
      const before = upstreamsOf(this.#held);
      this.#held = held;
      this.table.replace(entriesOf(held), next.default_upstream, hostedNames(next));
      const kept = upstreamsOf(held);
      for (const upstream of before) if (!kept.has(upstream)) void this.#retire(upstream);
    };
  }

  /** How those that requests find stand. */
  status(): UpstreamStatus[] {
    return [...this.#held.values()].map(({ entry }) => entry.remote.upstream.status());
  }

  /** Closes all, replaced ones too. */
  async close(): Promise<void> {
    const all = [...upstreamsOf(this.#held), ...this.#retired];
    await Promise.all(all.map((upstream) => upstream.close()));
  }

  #build(config: Config): ReadonlyMap<string, Held> {
    const identities = new Map(
      Object.entries(config.upstreams).map(([name, upstream]) => {
        const ca = upstream.ca === undefined ? undefined : readFileSync(upstream.ca, 'utf8');
        return [name, upstreamIdentity(upstream, ca)];
      }),
    );
    const same = [...this.#held].filter(([name, held]) => identities.get(name) === held.identity);
    const existing = new Map(same.map(([name, { entry }]) => [name, entry.remote.upstream]));
    return new Map(
      this.#options.create(config, existing).map((entry): [string, Held] => {
        const { name } = entry.remote;
        const upstream = config.upstreams[name]!;
        const held = existing.has(name) ? this.#held.get(name) : undefined;
        const isSame = held !== undefined && isDeepStrictEqual(held.config, upstream);
        if (isSame) return [name, held];
        return [name, { config: upstream, identity: identities.get(name)!, entry }];
      }),
    );
  }

  async #retire(upstream: Upstream): Promise<void> {
    const { isInUse, settle = 300_000, longest = 86_400_000 } = this.#options;
    this.#retired.add(upstream);
    const deadline = performance.now() + longest;
    await delay(settle, undefined, { ref: false });
    while (isInUse(upstream) && performance.now() < deadline) {
      await delay(Math.min(pause, settle), undefined, { ref: false });
    }
    await upstream.close();
    this.#retired.delete(upstream);
  }
}

function entriesOf(held: ReadonlyMap<string, Held>): RouteTableEntry[] {
  return [...held.values()].map(({ entry }) => entry);
}

function upstreamsOf(held: ReadonlyMap<string, Held>): Set<Upstream> {
  return new Set([...held.values()].map(({ entry }) => entry.remote.upstream));
}
