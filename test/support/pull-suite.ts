import { beforeAll, expect, it } from '@jest/globals';
import type { ScheduleReport } from '../../src/service/schedule-report.ts';
import { Baleen, type Settings } from './baleen.ts';
import type { PullClient } from './clients/pull-client.ts';
import { DockerRegistry } from './docker-registry.ts';
import { suiteResources } from './resources.ts';
import { runnableImage, type RunnableImage } from './runnable-image.ts';

/** What differs from client to client. */
export interface PullSuite {
  /** Starts the client against a running Baleen. */
  readonly start: (baleen: Baleen) => Promise<PullClient>;
  /** What `output()` gives for an image. */
  readonly expected?: (image: RunnableImage) => string;
  /** Blobs of an image that the client fetches: config and layers of its own platform. */
  readonly blobs?: number;
}

/** docker.io as the registry, by the clients' credentials never seen. */
export function dockerHubAt(registry: DockerRegistry): Settings {
  const { username, password } = registry;
  return {
    upstreams: {
      'docker.io': {
        url: registry.url,
        credentials: { username, password },
        // `edge` is looked up anew each time; other tags stay fresh for as long as any test runs.
        tag_ttl: { edge: '0s', default: '1h' },
      },
    },
    default_upstream: 'docker.io',
  };
}

/**
 * The story that every client has to live through, in order: cold, warm, upstream down, Baleen
 * restarted. The upstream demands authentication; the client has none.
 */
export function describePulls(suite: PullSuite): void {
  const { expected = ({ prints }): string => prints, blobs = 4 } = suite;
  const resources = suiteResources();
  const oci = runnableImage(1);
  const docker = runnableImage(2, 'docker');
  let registry: DockerRegistry;
  let baleen: Baleen;
  let client: PullClient;

  beforeAll(async () => {
    registry = resources.use(await DockerRegistry.start());
    await registry.push('library/runnable', '1.0', oci);
    await registry.push('library/runnable', 'edge', oci);
    await registry.push('whales/blue', 'list', docker);
    // It counts what is pulled, and does nothing with it while the test lasts.
    const warm = { observed: { cron: '0 0 1 1 *' } };
    baleen = resources.use(await Baleen.start({ ...dockerHubAt(registry), warm }));
    client = resources.use(await suite.start(baleen));
  });

  const pulls = async (
    repository: string,
    reference: string,
    image: RunnableImage,
  ): Promise<void> => {
    expect(await client.pull(repository, reference)).toContain(image.manifest.digest);
    expect(await client.output()).toBe(expected(image));
  };

  it('pulls and runs an image that was never seen before, each blob fetched once', async () => {
    await pulls('library/runnable', ':1.0', oci);
    expect(registry.traffic.served('blob-get')).toHaveLength(blobs);
  });

  it('pulls a Docker manifest list', async () => {
    await pulls('whales/blue', ':list', docker);
  });

  it('pulls again by digest without any upstream request', async () => {
    registry.traffic.forget();
    await pulls('library/runnable', `@${oci.manifest.digest}`, oci);
    expect(registry.traffic.lines).toEqual([]);
  });

  it('pulls again by a fresh tag without any upstream request', async () => {
    registry.traffic.forget();
    await pulls('library/runnable', ':1.0', oci);
    expect(registry.traffic.lines).toEqual([]);
  });

  it('asks with HEAD alone whether an expired tag has moved', async () => {
    await pulls('library/runnable', ':edge', oci);
    registry.traffic.forget();
    await pulls('library/runnable', ':edge', oci);
    expect(new Set(registry.traffic.lines)).toEqual(
      new Set(['HEAD /v2/library/runnable/manifests/edge']),
    );
  });

  it('pulls by tag, fresh and expired, and by digest with the upstream down', async () => {
    await registry.stop();
    await pulls('library/runnable', ':1.0', oci);
    await pulls('library/runnable', ':edge', oci);
    await pulls('whales/blue', `@${docker.manifest.digest}`, docker);
  });

  it('pulls by tag and by digest after a restart with the upstream down', async () => {
    expect(await baleen.stop()).toEqual({ code: 0, signal: null });
    await baleen.start();
    await pulls('library/runnable', ':edge', oci);
    await pulls('whales/blue', ':list', docker);
    await pulls('library/runnable', `@${oci.manifest.digest}`, oci);
  });

  it('is counted, with the platform that it runs, over a restart', async () => {
    const answer = await fetch(`${baleen.operationsUrl}/api/warm`);
    const { observed } = (await answer.json()) as ScheduleReport;
    const own = `linux/${process.arch === 'arm64' ? 'arm64' : 'amd64'}`;
    for (const image of ['library/runnable:1.0', 'library/runnable:edge', 'whales/blue:list']) {
      const counted = observed?.images.find((each) => each.image === `docker.io/${image}`);
      expect(counted?.platforms).toContain(own);
    }
  });

  it('takes up where the upstream comes back', async () => {
    await registry.start();
    const moved = runnableImage(3);
    await registry.push('library/runnable', 'edge', moved);
    await pulls('library/runnable', ':edge', moved);
  });
}
