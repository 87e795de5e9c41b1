import { describe, expect, it } from '@jest/globals';
import { findImages } from '../../src/warm/find-images.ts';

const digest = `sha256:${'ab'.repeat(32)}`;

/** What is found in a text that has nothing wrong in it. */
async function referencesIn(text: string): Promise<string[]> {
  const { images, faults } = await findImages(text);
  expect(faults).toEqual([]);
  return images.map(({ reference }) => reference);
}

/** What is told of a text, as `line: message`. */
async function faultsIn(text: string): Promise<string[]> {
  const { faults } = await findImages(text);
  return faults.map(({ line, message }) => `${line}: ${message}`);
}

describe('in a plain list', () => {
  it('each line is an image, but for remarks and blank lines', async () => {
    const text = `\uFEFF# what we run\r\nnginx:1.27\r\n\r\n  ghcr.io/org/app@${digest}  # pinned\n\tlocalhost:5000/a/b\n#end`;
    expect(await referencesIn(text)).toEqual([
      'nginx:1.27',
      `ghcr.io/org/app@${digest}`,
      'localhost:5000/a/b',
    ]);
  });

  it('there may be several in a line, quoted or divided by commas', async () => {
    expect(await referencesIn('nginx:1.27 redis:7,busybox\n"a/b:1", \'c/d\';')).toEqual([
      'nginx:1.27',
      'redis:7',
      'busybox',
      'a/b:1',
      'c/d',
    ]);
    expect(await referencesIn('nginx:{1.26,1.27}*')).toEqual(['nginx:{1.26,1.27}*']);
  });

  it('there may be numbers in front that tell how often each was found', async () => {
    expect(await referencesIn('      3 nginx:1.27\n     12 redis:7\n')).toEqual([
      'nginx:1.27',
      'redis:7',
    ]);
  });

  it('each is found once, however it is written, in the order of the first time', async () => {
    const text = `redis\ndocker.io/library/nginx:1.27\nnginx:1.27\nredis:latest\nindex.docker.io/library/redis\nlocalhost:5000/redis\nredis:7`;
    expect(await referencesIn(text)).toEqual([
      'redis',
      'docker.io/library/nginx:1.27',
      'localhost:5000/redis',
      'redis:7',
    ]);
  });

  it('a line may say for which platforms, and how many versions', async () => {
    const { images, faults } = await findImages(
      'nginx:1.2* newest=3 platform=linux/amd64,aarch64\nredis:7 platform=ALL\nredis:7\nbusybox newest=2\n',
    );
    expect(faults).toHaveLength(1);
    expect(faults[0]?.line).toBe(1);
    expect(faults[0]?.message).toContain('"aarch64" is no platform');
    expect(images).toEqual([
      { reference: 'redis:7', platforms: ['all'] },
      { reference: 'redis:7' },
      { reference: 'busybox:*', newest: 2 },
    ]);
    expect((await findImages('nginx:1.2* newest=3 platform=arm64,linux/arm')).images).toEqual([
      { reference: 'nginx:1.2*', newest: 3, platforms: ['linux/arm64', 'linux/arm/v7'] },
    ]);
  });

  it('what is no image is named with its line', async () => {
    const text = [
      'nginx:1.27',
      'Nginx:1.27',
      'ghcr.io/org/app:',
      'https://example.com/x',
      digest,
      '0123456789ab',
      '${IMAGE}',
      'a/b@sha256:12',
      'docker.io/library/*:1',
      'redis:7 newest=2',
      'redis:* newest=0',
      'redis:* latest=2',
      'docker://busybox',
    ].join('\n');
    const { images } = await findImages(text);
    expect(images.map(({ reference }) => reference)).toEqual(['nginx:1.27', 'busybox']);
    expect(await faultsIn(text)).toEqual([
      '2: "Nginx:1.27" is no image: names of images have no capital letters',
      '3: "ghcr.io/org/app:" is no image',
      '4: "https://example.com/x" is a URL: images are written without https://',
      `5: "${digest}" is the ID of an image: its name is needed`,
      '6: "0123456789ab" is the ID of an image: its name is needed',
      '7: "${IMAGE}" has yet to be filled in: give what "helm template" or "docker compose config" prints',
      '8: "a/b@sha256:12" is no image',
      '9: "docker.io/library/*:1" is no image',
      '10: newest is for patterns, such as nginx:1.2*, and "redis:7" is one image',
      '11: "newest=0": expected a number of versions, such as newest=3',
      '12: "latest=2" is no option: there are platform= and newest=',
    ]);
  });

  it('what is no text, or in another encoding, is refused as a whole', async () => {
    for (const text of [Buffer.from('nginx:1.27\n', 'utf16le').toString(), 'oci-layout\0 0644']) {
      await expect(findImages(text)).rejects.toMatchObject({
        code: 'REQUEST_INVALID',
        message: 'it is no text, or none in UTF-8',
      });
    }
  });

  it('there may be nothing', async () => {
    for (const text of ['', '\n\n', '# nothing\n', '---\n', '{}', '[]', 'null: null']) {
      expect(await referencesIn(text)).toEqual([]);
    }
  });
});

describe('in a table', () => {
  it('of docker, podman or crictl there is a repository and a tag', async () => {
    const docker = [
      'REPOSITORY               TAG       IMAGE ID       CREATED        SIZE',
      'nginx                    1.27      0123456789ab   2 weeks ago    192MB',
      'ghcr.io/org/app          v1        ba9876543210   3 months ago   1.2GB',
      '<none>                   <none>    001122334455   3 months ago   1.2GB',
    ].join('\n');
    expect(await referencesIn(docker)).toEqual(['nginx:1.27', 'ghcr.io/org/app:v1']);
    const crictl = [
      'IMAGE                     TAG                 IMAGE ID            SIZE',
      'docker.io/library/redis   7                   0123456789abc       45MB',
      'registry.k8s.io/pause     3.9                 e6f1816883972       322kB',
    ].join('\n');
    expect(await referencesIn(crictl)).toEqual([
      'docker.io/library/redis:7',
      'registry.k8s.io/pause:3.9',
    ]);
  });

  it('of newer dockers and of ctr there is a whole reference', async () => {
    const docker = [
      'IMAGE            ID             DISK USAGE   CONTENT SIZE   EXTRA',
      'nginx:1.27       0123456789ab        279MB         72.9MB    U   ',
    ].join('\n');
    expect(await referencesIn(docker)).toEqual(['nginx:1.27']);
    const ctr = `REF                          TYPE      DIGEST SIZE PLATFORMS LABELS\ndocker.io/library/redis:7    app/x     ${digest} 1 MiB linux/amd64 -\nsha256:0123456789abcdef       app/x     ${digest} 1 MiB linux/amd64 -\n`;
    expect(await referencesIn(ctr)).toEqual(['docker.io/library/redis:7']);
  });

  it('of kubectl there may be several in a cell, and of docker ps an ID in place of a name', async () => {
    const kubectl = [
      'NAME   READY   UP-TO-DATE   AVAILABLE   AGE   CONTAINERS   IMAGES              SELECTOR',
      'web    2/2     2            2           9d    web,proxy    nginx:1.27,envoy:1  app=web',
    ].join('\n');
    expect(await referencesIn(kubectl)).toEqual(['nginx:1.27', 'envoy:1']);
    expect(await referencesIn('IMAGE\nnginx:1.27,envoy:1\n<none>\n')).toEqual([
      'nginx:1.27',
      'envoy:1',
    ]);
    const docker = [
      'CONTAINER ID   IMAGE          COMMAND                  STATUS',
      '0123456789ab   nginx:1.27     "/docker-entrypoint.…"   Up 2 hours',
      '123456789abc   ba9876543210   "sh"                     Up 2 hours',
    ].join('\n');
    expect(await faultsIn(docker)).toEqual([
      '3: "ba9876543210" is the ID of an image: its name is needed',
    ]);
  });
});

it('in a table of something else nothing is found', async () => {
  const text = 'NAMESPACE   NAME     READY   STATUS\ndefault     web-1    1/1     Running\n';
  expect((await findImages(text)).images).toEqual([]);
  expect(await faultsIn(text)).toEqual([
    '1: this is a table without images: give it as JSON (-o json)',
  ]);
});

describe('in JSON', () => {
  const pods = {
    apiVersion: 'v1',
    kind: 'List',
    items: [
      {
        kind: 'Pod',
        metadata: { annotations: { 'kubectl.kubernetes.io/last-applied': '{"image":"never:1"}' } },
        spec: {
          containers: [{ name: 'a', image: 'nginx:1.27' }],
          initContainers: [{ name: 'b', image: 'busybox' }],
          ephemeralContainers: [{ name: 'c', image: 'debug/tools:1' }],
          volumes: [{ name: 'v', image: { reference: `quay.io/models/x@${digest}` } }],
        },
        status: {
          containerStatuses: [
            { image: 'docker.io/library/nginx:1.27', imageID: `docker.io/library/nginx@${digest}` },
            { image: digest, imageID: '' },
          ],
        },
      },
    ],
  };

  it('of a cluster are those of pods, of every kind of container, of volumes and of the status', async () => {
    const expected = ['nginx:1.27', 'busybox', 'debug/tools:1', `quay.io/models/x@${digest}`];
    expect(await referencesIn(JSON.stringify(pods))).toEqual(expected);
    expect(await referencesIn(JSON.stringify(pods, null, 4))).toEqual(expected);
  });

  it('of nodes are their tags, and digests of what has none', async () => {
    const images = [
      { names: [`docker.io/library/nginx@${digest}`, 'docker.io/library/nginx:1.27'] },
      { names: [`quay.io/a/b@${digest}`] },
      { names: null, sizeBytes: 1 },
      { names: ['<none>@<none>', '<none>:<none>'] },
    ];
    expect(await referencesIn(JSON.stringify({ items: [{ status: { images } }] }))).toEqual([
      'docker.io/library/nginx:1.27',
      `quay.io/a/b@${digest}`,
    ]);
  });

  it('of crictl and podman are their tags, and digests of what has none', async () => {
    const crictl = {
      images: [
        { id: digest, repoTags: ['registry.k8s.io/pause:3.9'], repoDigests: [`x/pause@${digest}`] },
        { id: digest, repoTags: [], repoDigests: [`x/y@${digest}`], spec: { image: digest } },
      ],
    };
    expect(await referencesIn(JSON.stringify(crictl))).toEqual([
      'registry.k8s.io/pause:3.9',
      `x/y@${digest}`,
    ]);
    const podman = [
      { Id: '01', RepoTags: null, RepoDigests: [`a/b@${digest}`], Names: ['docker.io/a/b:1'] },
      { Id: '02', Names: ['brave_dirac'], Image: 'docker.io/a/c:1', ImageID: '03' },
    ];
    expect(await referencesIn(JSON.stringify(podman))).toEqual([
      'docker.io/a/b:1',
      'docker.io/a/c:1',
    ]);
  });

  it('there may be a document a line, as docker prints them, or several documents', async () => {
    const lines = [
      { Repository: 'nginx', Tag: '1.27', Digest: '<none>', ID: '01' },
      { Repository: 'ghcr.io/org/app', Tag: '<none>', Digest: digest },
      { Repository: '<none>', Tag: '<none>', Digest: '<none>' },
      { Repository: 'redis', Tag: '7', Digest: digest },
      { Image: 'busybox:1', Names: 'x' },
    ];
    const expected = ['nginx:1.27', `ghcr.io/org/app@${digest}`, 'redis:7', 'busybox:1'];
    expect(await referencesIn(lines.map((line) => JSON.stringify(line)).join('\n'))).toEqual(
      expected,
    );
    const pretty = lines.map((line) => JSON.stringify(line, null, 2)).join('\n');
    expect(await referencesIn(`${pretty}\n`)).toEqual(expected);
  });

  it('there may be a list of texts', async () => {
    expect(await referencesIn('["nginx:1.27", "redis"]')).toEqual(['nginx:1.27', 'redis']);
    expect(await referencesIn('{"images": ["nginx:1.27"]}')).toEqual(['nginx:1.27']);
  });

  it('that was cut off nothing is found', async () => {
    const text = JSON.stringify(pods, null, 2);
    const { images, faults } = await findImages(text.slice(0, text.length / 2));
    expect(images).toEqual([]);
    expect(faults).toHaveLength(1);
    expect(faults[0]?.message).toContain('this is no YAML');
  });

  it('depth is no matter', async () => {
    const depth = 200_000;
    const text = `${'[{"a":'.repeat(depth)}{"image":"deep:1"}${'}]'.repeat(depth)}`;
    expect(await referencesIn(text)).toEqual(['deep:1']);
  });

  it('are found at once in lines that were made up to take hours', async () => {
    const remarks = `a:1${' #'.repeat(1_000_000)}\r`;
    const commas = `a{${','.repeat(1_000_000)}x`;
    const { images, faults } = await findImages(`${remarks}x\n${commas}\nb:2\n`);
    expect(images).toEqual([{ reference: 'a:1' }, { reference: 'b:2' }]);
    expect(faults).toHaveLength(1);
  });
});
