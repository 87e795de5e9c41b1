import type { ImageFindings } from './image-findings.ts';
import { explainImageText, hasVersion, readImageText } from './image-text.ts';

/** Looks into a document of one form or another, so that the same rules are for all. */
export interface DocumentReader<Node> {
  /** Of a mapping; undefined for what is none. */
  entries(node: Node): readonly (readonly [key: string, value: Node])[] | undefined;
  /** Of a sequence; undefined for what is none. */
  items(node: Node): readonly Node[] | undefined;
  /** A text; undefined for anything else. */
  text(node: Node): string | undefined;
  /** As {@link text}, also of a number, as it is written: `tag: 1.27`. */
  label(node: Node): string | undefined;
  line(node: Node): number | undefined;
}

/**
 * Finds the images in a document, whatever it is: they are told by the names of the fields. Those are
 * `image` in Kubernetes' workloads of every kind, in their status, in most custom resources and in
 * compose files; `images` of nodes, of lists and of crictl; docker's and podman's own in what they
 * print of images. Depth is no matter: nothing here calls itself.
 */
export function findInDocument<Node>(
  root: Node,
  reader: DocumentReader<Node>,
  findings: ImageFindings,
): void {
  const finder = new Finder(reader, findings);
  for (const item of reader.items(root) ?? []) finder.offer(item);
  const pending = [root];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const entries = reader.entries(node);
    if (entries !== undefined) finder.look(entries);
    const below = reader.items(node) ?? entries?.map(([, value]) => value) ?? [];
    for (let nth = below.length - 1; nth >= 0; nth -= 1) pending.push(below[nth] as Node);
  }
}

class Finder<Node> {
  readonly #reader: DocumentReader<Node>;
  readonly #findings: ImageFindings;

  constructor(reader: DocumentReader<Node>, findings: ImageFindings) {
    this.#reader = reader;
    this.#findings = findings;
  }

  /** Looks at one mapping, and not below it. */
  look(entries: readonly (readonly [string, Node])[]): void {
    const fields = new Map(entries);
    // What `docker image ls --format json` prints, and nerdctl's and compose's alike.
    const hasTag = this.#first(fields, ['Tag']) !== undefined;
    this.#offerParts(fields, ['Repository'], ['Tag'], hasTag ? [] : ['Digest']);
    const digests = this.#texts(fields.get('repoDigests') ?? fields.get('RepoDigests'));
    const tags = this.#texts(fields.get('repoTags') ?? fields.get('RepoTags'));
    // Podman has the tags under Names, which of a container is something else.
    const names = digests && this.#texts(fields.get('Names'));
    this.#offerNames(tags?.length ? tags : (names ?? []), digests ?? []);
    for (const [key, value] of entries) {
      if (key === 'image' || key === 'Image') this.#offerImage(value);
      else if (key === 'images') this.#offerImages(value);
      else if (/(?:Image|[_-]image)$/.test(key)) this.#offerIfVersioned(value);
    }
  }

  /** A text where an image has to be. What it is otherwise is told, but for what a program put there. */
  offer(node: Node): void {
    const text = this.#reader.text(node);
    if (text !== undefined) this.#offerText(text, this.#reader.line(node));
  }

  #offerText(text: string, line: number | undefined): void {
    const read = readImageText(text);
    if (read.kind === 'image') this.#findings.add({ reference: read.reference });
    else if (read.kind === 'template' || (read.kind === 'other' && !/\s/.test(text.trim()))) {
      this.#findings.fault(line, explainImageText(text, read.kind));
    }
  }

  /** A field of another name, such as `sidecarImage`: an image only where there is no doubt. */
  #offerIfVersioned(node: Node): void {
    const text = this.#reader.text(node);
    if (text === undefined || !hasVersion(text)) return;
    const read = readImageText(text);
    if (read.kind === 'image') this.#findings.add({ reference: read.reference });
  }

  /** `image:` with a text, or with its parts as in Helm's values, or a volume's (Kubernetes, ImageVolumeSource). */
  #offerImage(node: Node): void {
    this.offer(node);
    const fields = new Map(this.#reader.entries(node) ?? []);
    const reference = fields.get('reference');
    if (reference !== undefined) this.offer(reference);
    this.#offerParts(fields, ['repository', 'name'], ['tag'], ['digest']);
  }

  /** `images:` with texts, or with mappings: of a node, of hauler, of kustomize. */
  #offerImages(node: Node): void {
    for (const item of this.#reader.items(node) ?? []) {
      this.offer(item);
      const fields = new Map(this.#reader.entries(item) ?? []);
      const names = this.#texts(fields.get('names')) ?? [];
      this.#offerNames(
        names.filter((name) => !name.includes('@')),
        names.filter((name) => name.includes('@')),
      );
      this.#offerParts(fields, ['newName', 'name'], ['newTag'], ['digest']);
      const name = fields.get('name');
      if (name !== undefined && !fields.has('image')) this.#offerIfVersioned(name);
    }
  }

  /** The digest that a tag had somewhere is left aside: the tag is what clients will ask for. */
  #offerNames(tags: readonly string[], digests: readonly string[]): void {
    for (const name of tags.length > 0 ? tags : digests) this.#offerText(name, undefined);
  }

  /** A name and a version in fields of their own. Without a version something else supplies it. */
  #offerParts(
    fields: ReadonlyMap<string, Node>,
    names: readonly string[],
    tags: readonly string[],
    digests: readonly string[],
  ): void {
    const name = this.#first(fields, names);
    const tag = this.#first(fields, tags);
    const digest = this.#first(fields, digests);
    if (name === undefined || (tag === undefined && digest === undefined)) return;
    const registry = this.#first(fields, ['registry']);
    const full = registry === undefined ? name : `${registry}/${name}`;
    const node = fields.get(names.find((each) => fields.has(each)) ?? '');
    const line = node === undefined ? undefined : this.#reader.line(node);
    const version = `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
    this.#offerText(`${full}${version}`, line);
  }

  #first(fields: ReadonlyMap<string, Node>, keys: readonly string[]): string | undefined {
    for (const key of keys) {
      const node = fields.get(key);
      const text = node === undefined ? undefined : this.#reader.label(node);
      if (text !== undefined && text !== '' && text !== '<none>') return text;
    }
    return undefined;
  }

  #texts(node: Node | undefined): string[] | undefined {
    if (node === undefined) return undefined;
    return this.#reader.items(node)?.flatMap((item) => this.#reader.text(item) ?? []);
  }
}
