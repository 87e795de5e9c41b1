import { describe, expect, it } from '@jest/globals';
import { maxImages } from '../../src/warm/image-findings.ts';
import { maxYamlDocument } from '../../src/warm/images-in-yaml.ts';
import { findImages } from '../../src/warm/find-images.ts';

const digest = `sha256:${'ab'.repeat(32)}`;

/** What is found in a text that has nothing wrong in it. */
async function referencesIn(text: string): Promise<string[]> {
  const { images, faults } = await findImages(text);
  expect(faults).toEqual([]);
  return images.map(({ reference }) => reference);
}

describe('in YAML', () => {
  it.each([
    ['a Deployment', ['spec', 'template', 'spec']],
    ['a StatefulSet', ['spec', 'template', 'spec']],
    ['a Pod', ['spec']],
    ['a Job', ['spec', 'template', 'spec']],
    ['a CronJob', ['spec', 'jobTemplate', 'spec', 'template', 'spec']],
    ['a custom resource', ['spec', 'podTemplate']],
  ])('%s names the images of its containers', async (kind, path) => {
    const indent = '  '.repeat(path.length);
    const head = path.map((key, depth) => `${'  '.repeat(depth)}${key}:\n`).join('');
    const text = `kind: ${kind.split(' ')[1] ?? ''}\n${head}${indent}initContainers:\n${indent}- image: "busybox:1"\n${indent}containers:\n${indent}- name: x\n${indent}  image: nginx:1.27 # web\n`;
    expect(await referencesIn(text)).toEqual(['busybox:1', 'nginx:1.27']);
  });

  it('a stream of Helm names those of all its documents', async () => {
    const text = `---
# Source: chart/templates/config.yaml
kind: ConfigMap
data:
  other.yaml: |
    image: never:1
---
# Source: chart/templates/web.yaml
kind: Deployment
spec: { template: { spec: { containers: [ { image: 'ghcr.io/org/web:v1', args: ["--image=never:2"] } ] } } }
---
kind: Prometheus
spec:
  image: quay.io/prometheus/prometheus:v3
  sidecarImage: thanos/thanos:v1
  logoImage: company/logo
  image_pull_policy: Always
`;
    expect(await referencesIn(text)).toEqual([
      'ghcr.io/org/web:v1',
      'quay.io/prometheus/prometheus:v3',
      'thanos/thanos:v1',
    ]);
  });

  it('a compose file names those of its services, also by anchor', async () => {
    const text = `x-app: &app
  image: &image ghcr.io/org/app:1
services:
  web: { <<: *app, ports: ["80:80"] }
  worker:
    image: *image
  db:
    image: postgres:17
    build: .
`;
    expect(await referencesIn(text)).toEqual(['ghcr.io/org/app:1', 'postgres:17']);
  });

  it('values and kustomizations name them in parts', async () => {
    const text = `web:
  image: { registry: quay.io, repository: org/web, tag: 1.10 }
db:
  image: { repository: org/db, digest: "${digest}", pullPolicy: Always }
later:
  image: { repository: org/later, tag: "" }
images:
- { name: nginx, newName: mirror.lan/nginx, newTag: "1.27" }
- { name: redis }
- name: registry.k8s.io/pause:3.9
`;
    expect(await referencesIn(text)).toEqual([
      'mirror.lan/nginx:1.27',
      'registry.k8s.io/pause:3.9',
      'quay.io/org/web:1.10',
      `org/db@${digest}`,
    ]);
  });

  it('a list of texts names each', async () => {
    expect(await referencesIn('- nginx:1.27\n- docker.io/library/redis:7\n')).toEqual([
      'nginx:1.27',
      'docker.io/library/redis:7',
    ]);
    expect(await referencesIn('images:\n  - nginx:1.2*\n')).toEqual(['nginx:1.2*']);
    expect(await referencesIn('[nginx, redis]')).toEqual(['nginx', 'redis']);
  });

  it('what has yet to be filled in is named with its line, and what is no image with it', async () => {
    const text = `services:\n  a:\n    image: "app:\${TAG:-1}"\n---\n\nspec:\n  image: Nope\n  other: { image: "two words" }\n  image2: ""\n---\nkind: Broken\nimage: [\n`;
    const { images, faults } = await findImages(text);
    expect(images).toEqual([]);
    expect(faults.map(({ line }) => line)).toEqual([3, 7, 13]);
    expect(faults[0]?.message).toContain('has yet to be filled in');
    expect(faults[1]?.message).toContain('"Nope" is no image');
    expect(faults[2]?.message).toContain('this is no YAML');
  });

  it("a template is not taken for what Helm makes of it, and its neighbours' images are found", async () => {
    const text = `{{- if .Values.on }}\nspec:\n  image: {{ .Values.image }}\n{{- end }}\n---\nimage: nginx:1\n`;
    const { images, faults } = await findImages(text);
    expect(images).toEqual([{ reference: 'nginx:1' }]);
    expect(faults).toHaveLength(1);
    expect(faults[0]?.message).toContain('"helm template"');
  });

  it('takes what is no image for none where programs put it', async () => {
    const text = `image: ${digest}\nb: { image: https://example.com/logo.png }\nc: { image: true }\nd: { image: 12 }\ne: { image: }\nf: { image: { type: string } }\n`;
    expect(await referencesIn(text)).toEqual([]);
  });
});

describe('a text that means harm', () => {
  it('unfolds no aliases', async () => {
    const levels = Array.from(
      { length: 60 },
      (_, nth) =>
        `a${nth + 1}: &a${nth + 1} [${Array.from({ length: 9 }, () => `*a${nth}`).join(', ')}]`,
    );
    const text = `a0: &a0 { image: bomb:1 }\n${levels.join('\n')}\nimage: *a60\nself: &self [*self]\n`;
    expect(await referencesIn(text)).toEqual(['bomb:1']);
  });

  it.each([
    ['of brackets', `image: ${'['.repeat(20_000)}`],
    ['of dashes', `image:\n${'- '.repeat(20_000)}`],
    ['of braces', `image: ${'{a: '.repeat(20_000)}`],
  ])('is not followed into a depth %s', async (_what, text) => {
    const { images, faults } = await findImages(text);
    expect(images).toEqual([]);
    expect(faults).toHaveLength(1);
  });

  it('is not looked at where it has no images, however many documents it has', async () => {
    expect(await referencesIn(`${'---\n'.repeat(200_000)}image: last:1\n`)).toEqual(['last:1']);
  });

  it('is no table where its first line has no end', async () => {
    const { images, faults } = await findImages('A '.repeat(2_000_000));
    expect([images, faults.length]).toEqual([[], 100]);
  });

  it('is refused in words where a document is too large for YAML', async () => {
    const text = `image: first:1\n---\nimage: big:1\npad: "${'x'.repeat(maxYamlDocument)}"\n---\nimage: last:1\n`;
    const { images, faults } = await findImages(text);
    expect(images.map(({ reference }) => reference)).toEqual(['first:1', 'last:1']);
    expect(faults).toHaveLength(1);
    expect(faults[0]?.line).toBe(2);
    expect(faults[0]?.message).toContain('larger than 2 MiB: give it as JSON');
  });

  it('is refused where it names more images than anybody has', async () => {
    const lines = Array.from({ length: maxImages }, (_, nth) => `app:${nth}`).join('\n');
    expect((await findImages(lines)).images).toHaveLength(maxImages);
    await expect(findImages(`${lines}\none:more`)).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
      message: 'there are more than 10000 images in it',
    });
  });

  it('is told of in a hundred lines, also where it has a million', async () => {
    const { faults } = await findImages('NO\n'.repeat(100_000));
    expect(faults).toHaveLength(100);
  });
});
