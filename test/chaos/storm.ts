import { setTimeout as sleep } from 'node:timers/promises';
import type { Skopeo } from '../support/clients/skopeo.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { waitFor } from '../support/wait-for.ts';
import { answerFault, rulesOf } from './answer-faults.ts';
import { Puller } from './puller.ts';
import { Random } from '../support/random.ts';
import { laneOf, type FaultKind, type ScheduledFault } from './schedule.ts';
import type { World } from './world.ts';

/** Clients of one storm of aborts. */
const stormClients = 40;

type Deed = (fault: ScheduledFault, random: Random) => Promise<void>;

/** Does to the world what the schedule says. */
export class Storm {
  readonly #world: World;
  readonly #skopeo: Skopeo | undefined;
  readonly #lanes = new Map<string, Promise<void>>();

  /** @param skopeo where there is one */
  constructor(world: World, skopeo: Skopeo | undefined) {
    this.#world = world;
    this.#skopeo = skopeo;
  }

  /** Goes through a schedule; ends when all faults have ended. */
  async rage(schedule: readonly ScheduledFault[]): Promise<void> {
    const began = performance.now();
    const running: Promise<void>[] = [];
    for (const fault of schedule) {
      await sleep(Math.max(0, began + fault.at - performance.now()));
      running.push(this.#begin(fault));
    }
    await Promise.all(running);
  }

  /** One after the other in each lane: a busy machine may be behind its schedule. */
  #begin(fault: ScheduledFault): Promise<void> {
    const random = new Random(fault.seed);
    const act = async (): Promise<void> => {
      this.#world.tally.add(`fault ${fault.kind}`);
      const answers = answerFault(fault.kind, random);
      if (answers === undefined) await this.#deeds[fault.kind]?.(fault, random);
      else await this.#spoil(fault, random);
    };
    const lane = laneOf(fault.kind);
    if (lane === undefined) return act();
    const next = (this.#lanes.get(lane) ?? Promise.resolve()).then(act);
    this.#lanes.set(lane, next);
    return next;
  }

  /** Answers of one of the upstreams go wrong for a while. */
  async #spoil({ kind, lasts }: ScheduledFault, random: Random): Promise<void> {
    const { conditions, ledger, tally } = this.#world;
    const answers = answerFault(kind, random);
    if (answers === undefined) return;
    const calm = kind === 'cdn-denial' ? conditions.begin('denied') : undefined;
    let isOn = true;
    const befell = (path: string): void => {
      tally.add(`answers spoilt by ${kind}`);
      const digest = path.slice(path.lastIndexOf('/') + 1);
      ledger.befell(digest);
      if (kind === 'flip-bit') this.#world.spoilt.add(digest);
    };
    for (const rule of rulesOf(answers, () => isOn, befell)) this.#upstream(random).fault(rule);
    await sleep(lasts);
    isOn = false;
    calm?.();
  }

  readonly #deeds: Readonly<Partial<Record<FaultKind, Deed>>> = {
    'token-failure': async ({ lasts }, random) => {
      const { tokens } = this.#hub;
      const calm = this.#world.conditions.begin('denied');
      tokens?.revoke();
      const isSilent = random.chance(0.5);
      if (tokens !== undefined && isSilent) tokens.options.delay = 10_000;
      else await tokens?.server.stop();
      await sleep(lasts);
      if (tokens !== undefined && isSilent) tokens.options.delay = 0;
      else await tokens?.server.start();
      calm();
    },
    'token-revocation': async () => {
      // A new token that is revoked, too, before it is used, looks like a denial.
      this.#world.conditions.begin('denied')();
      this.#hub.tokens?.revoke();
    },
    'upstream-outage': async ({ lasts }, random) => {
      const upstream = this.#upstream(random);
      this.#world.ledger.interrupted();
      await upstream.stop();
      await sleep(lasts);
      await upstream.start();
      // Its CDN may listen a moment later than the registry, which is an interruption of its own.
      this.#world.ledger.interrupted();
    },
    'redis-kill': async ({ lasts }) => {
      await this.#world.redis?.stop();
      await sleep(lasts);
      await this.#world.redis?.start();
    },
    'redis-pause': async ({ lasts }) => {
      this.#world.redis?.pause();
      await sleep(lasts);
      this.#world.redis?.resume();
    },
    'redis-flush': async () => this.#world.redis?.flush(),
    'baleen-kill': async ({ lasts }) => this.#restart(() => this.#kill(), lasts / 4),
    'baleen-restart': async () => {
      await this.#restart(async () => {
        const exit = await this.#world.baleen.stop();
        if (exit.code !== 0) {
          const told = this.#world.baleen.process.tail(1_500);
          this.#world.found(`SIGTERM ended Baleen with ${JSON.stringify(exit)}: ${told}`);
        }
      }, 0);
    },
    'baleen-reload': async (_fault, random) => {
      const { baleen, settings } = this.#world;
      // Now and then the file is one that nobody can use: the old one has to stay in force.
      const isGood = random.chance(0.7);
      const connections = isGood ? random.between(8, 64) : 'many';
      const isTaken = await baleen.reload(settings({ connections }));
      if (isTaken !== isGood) {
        this.#world.found(
          `a configuration ${isGood ? 'was not' : 'was'} taken: ${String(connections)} connections`,
        );
      }
      if (!isGood) await baleen.reload(settings());
    },
    'disk-full': async ({ lasts }, random) => {
      const { disk, conditions, ledger } = this.#world;
      if (!(disk instanceof SmallDisk)) return;
      const resume = ledger.pause();
      const calm = conditions.begin('disk');
      await disk.fill();
      await sleep(lasts / 2);
      await disk.fill();
      await sleep(lasts / 2);
      // A full disk must keep nobody from starting.
      if (random.chance(0.3)) await this.#restart(() => this.#kill(), 0);
      await disk.free();
      await this.#untilDiskIsUsed();
      calm();
      resume();
    },
    'file-loss': async (_fault, random) => {
      const { content, watch, ledger, tally } = this.#world;
      for (const digest of random.shuffled([...content.blobs.keys()])) {
        if (!(await watch.damage(digest, random.chance(0.5)))) continue;
        ledger.befell(digest);
        tally.add('committed files damaged');
        if (random.chance(0.3)) return;
      }
    },
    purge: async (_fault, random) => {
      const { upstream, repository, tag, versions } = random.pick(this.#world.content.tags);
      const image = `${upstream}/${repository}`;
      const digest = random.pick(random.pick(versions).blobs).digest;
      await this.#operate('purge', { targets: [random.pick([`${image}:${tag}`, image, digest])] });
    },
    verify: async (_fault, random) => this.#operate('verify', { repair: random.chance(0.7) }),
    'abort-storm': async (_fault, random) => {
      const puller = new Puller(this.#world, random);
      await Promise.all(Array.from({ length: stormClients }, () => puller.leave()));
    },
    'tag-move': async (_fault, random) => {
      const tag = random.pick(this.#world.content.tags);
      const others = tag.versions.filter((version) => version !== tag.named.at(-1));
      const next = random.pick(others);
      tag.named.push(next);
      this.#world.upstreams.get(tag.upstream)?.add(tag.repository, tag.tag, next);
    },
    'skopeo-copy': async (_fault, random) => {
      const tags = this.#world.content.tags.filter(({ upstream }) => upstream === 'docker.io');
      const { repository, tag, named } = random.pick(tags);
      try {
        const digest = await this.#skopeo?.pull(repository, `:${tag}`);
        if (digest === undefined) return;
        this.#world.tally.add('skopeo copies, complete');
        if (named.some(({ manifest }) => manifest.digest === digest)) return;
        this.#world.found(`skopeo copied ${digest}, which ${repository}:${tag} never was`);
      } catch {
        this.#world.tally.add('skopeo copies, failed');
      }
    },
  };

  get #hub() {
    return this.#world.upstreams.get('docker.io') as NonNullable<
      ReturnType<World['upstreams']['get']>
    >;
  }

  #upstream(random: Random) {
    return random.pick([...this.#world.upstreams.values()]);
  }

  async #kill(): Promise<void> {
    await this.#world.baleen.kill();
    this.#world.tally.add('kills of Baleen');
  }

  /** Ends the process one way or the other, and starts it again after a pause in milliseconds. */
  async #restart(end: () => Promise<unknown>, pause: number): Promise<void> {
    const world = this.#world;
    const calm = world.conditions.begin('down');
    world.isUp = false;
    world.ledger.interrupted();
    await end();
    world.inspectOutput();
    world.ledger.interrupted();
    await sleep(pause);
    await world.baleen.start();
    world.isUp = true;
    world.tally.add('restarts of Baleen');
    calm();
  }

  /** Has the operations API do something; the process may end meanwhile. */
  async #operate(name: string, parameters: object): Promise<void> {
    const url = `${this.#world.baleen.operationsUrl}/api/${name}`;
    const headers = { 'content-type': 'application/json' };
    const ask = async (): Promise<{ status: number; text: string }> => {
      const body = JSON.stringify(parameters);
      const answer = await fetch(url, { method: 'POST', headers, body });
      return { status: answer.status, text: await answer.text() };
    };
    const answer = await ask().catch(() => undefined);
    if (answer === undefined || answer.status === 200 || answer.status === 503) return;
    if (this.#world.conditions.heldSince('disk', performance.now(), 10_000)) return;
    this.#world.found(
      `${name} was answered ${String(answer.status)}: ${answer.text.slice(0, 200)}`,
    );
  }

  /** A disk that failed is tried again now and then. */
  async #untilDiskIsUsed(): Promise<void> {
    const { baleen } = this.#world;
    await waitFor(
      'the disk to be used again',
      async () => {
        const answer = await fetch(`${baleen.operationsUrl}/readyz`);
        return answer.ok && !/"storage":"(?!ok)/.test(await answer.text());
      },
      30_000,
    );
  }
}
