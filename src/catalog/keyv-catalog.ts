/**
 * The catalog: what is known, held in up to three places.
 *
 * - The **record** on disk is the truth of this process, and needs nothing else.
 * - The **memory** in front of it (Keyv over an LRU) keeps hot paths off the disk.
 * - A **shared cache** (Keyv over Redis), where there is one, lets replicas with data folders of
 *   their own know what the others know.
 *
 * Writes go to the record first, then to the memory, then to the shared cache; whether that last
 * one took it does not matter.
 */
import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { Catalog, Listing, Member, MemberKind, TagRecord } from './catalog.ts';
import { Knowledge, type KnowledgeOptions, type Subject } from './knowledge.ts';
import { parseListing, parseMember, parseTag, parseTime } from './known.ts';
import type { CatalogRecord } from './record.ts';

export interface KeyvCatalogOptions extends KnowledgeOptions {
  readonly record: CatalogRecord;
  /** Ends the connection of the shared cache. */
  readonly disconnect?: (() => Promise<void>) | undefined;
}

/** Lifetimes in milliseconds. */
const second = 1_000;
const minute = 60 * second;
const day = 24 * 60 * minute;

/** The record is read again after a minute, so that what another program wrote there is noticed. */
const onRecord = { memory: minute, shared: day };
/** How long replicas have to know that an absence was taken back. */
const takenBack = { memory: minute, shared: 10 * minute };
/** Lists above this many bytes are not worth a place in the shared cache. */
const maxSharedListing = 1024 * 1024;

export class KeyvCatalog implements Catalog {
  readonly #record: CatalogRecord;
  readonly #knowledge: Knowledge;
  readonly #disconnect: (() => Promise<void>) | undefined;

  constructor({ record, disconnect, ...knowledge }: KeyvCatalogOptions) {
    this.#record = record;
    this.#knowledge = new Knowledge(knowledge);
    this.#disconnect = disconnect;
  }

  /** Whether the shared cache is in use; true where there is none to be used. */
  get cacheUp(): boolean {
    return this.#knowledge.up;
  }

  async tag(repository: QualifiedName, tag: Tag): Promise<TagRecord | undefined> {
    const known = await this.#knowledge.recall<TagRecord>(tagKey(repository, tag), second);
    return known === undefined
      ? this.#knowledge.learn(this.#tagSubject(repository, tag))
      : known.value;
  }

  async putTag(repository: QualifiedName, tag: Tag, record: TagRecord): Promise<void> {
    const subject = this.#tagSubject(repository, tag);
    await this.#knowledge.serially([subject.key], async () => {
      await this.#record.putTag(repository, tag, record);
      if (this.#knowledge.isShared) await this.#record.unmarkDeleted(repository, tag);
      await this.#knowledge.tell(subject, { at: record.checkedAt, value: record });
    });
  }

  async deleteTag(repository: QualifiedName, tag: Tag): Promise<void> {
    const subject = this.#tagSubject(repository, tag);
    await this.#knowledge.serially([subject.key], async () => {
      const current = await this.#record.tag(repository, tag);
      const at = Math.max(Date.now(), (current?.at ?? 0) + 1);
      // Without the mark, a shared cache that cannot be told now would bring the tag back after a
      // restart of this process.
      const isMarked = this.#knowledge.isShared && current !== undefined;
      if (isMarked) await this.#record.markDeleted(repository, tag, at);
      await this.#record.deleteTag(repository, tag);
      const isTold = await this.#knowledge.tell(subject, { at, value: undefined });
      if (isMarked && isTold) await this.#record.unmarkDeleted(repository, tag);
    });
  }

  tags(repository: QualifiedName): Promise<Tag[]> {
    return this.#record.tags(repository);
  }

  async link(
    repository: QualifiedName,
    kind: MemberKind,
    members: readonly Member[],
  ): Promise<void> {
    const distinct = [...new Map(members.map((member) => [member.digest, member])).values()];
    const checked = await Promise.all(
      distinct.map((member) => this.#news(repository, kind, member)),
    );
    const news = checked.filter((member) => member !== undefined);
    if (news.length === 0) return;
    const at = Date.now();
    const keys = news.map(({ digest }) => memberKey(repository, kind, digest));
    await this.#knowledge.serially(keys, async () => {
      await this.#record.putMembers(repository, kind, news, at);
      const told = news.map((member) =>
        this.#knowledge.tell(this.#memberSubject(repository, kind, member.digest), {
          at,
          value: member,
        }),
      );
      await Promise.all(told);
    });
  }

  async linked(
    repository: QualifiedName,
    kind: MemberKind,
    digest: Digest,
  ): Promise<Member | undefined> {
    // A link is good for long: nobody else makes a digest belong to a repository any less.
    const key = memberKey(repository, kind, digest);
    const known = await this.#knowledge.recall<Member>(key, minute);
    return known === undefined
      ? this.#knowledge.learn(this.#memberSubject(repository, kind, digest))
      : known.value;
  }

  async listing(repository: QualifiedName, key: string): Promise<Listing | undefined> {
    const subject = this.#listingSubject(repository, key);
    const known = await this.#knowledge.recall<Listing>(subject.key, second);
    return known === undefined ? this.#knowledge.learn(subject) : known.value;
  }

  async putListing(repository: QualifiedName, key: string, listing: Listing): Promise<void> {
    const subject = this.#listingSubject(repository, key);
    await this.#knowledge.serially([subject.key], async () => {
      await this.#record.putListing(repository, key, listing);
      await this.#knowledge.tell(subject, { at: listing.fetchedAt, value: listing });
    });
  }

  async absent(repository: QualifiedName, what: string): Promise<boolean> {
    const key = absenceKey(repository, what);
    const known = await this.#knowledge.recall<number>(key, second);
    const until =
      known === undefined ? await this.#knowledge.learn(absenceSubject(key)) : known.value;
    return until !== undefined && until > Date.now();
  }

  async putAbsent(repository: QualifiedName, what: string, ttl: number): Promise<void> {
    const subject = absenceSubject(absenceKey(repository, what));
    const at = Date.now();
    await this.#knowledge.serially([subject.key], () =>
      this.#knowledge.tell(subject, { at, value: ttl > 0 ? at + ttl : undefined }),
    );
  }

  repositories(): Promise<QualifiedName[]> {
    return this.#record.repositories();
  }

  async close(): Promise<void> {
    await this.#knowledge.close();
    await this.#disconnect?.();
  }

  /** The member where the record does not have all of it yet, completed by what the record has. */
  async #news(
    repository: QualifiedName,
    kind: MemberKind,
    member: Member,
  ): Promise<Member | undefined> {
    const { digest, mediaType } = member;
    const key = memberKey(repository, kind, digest);
    const remembered = await this.#knowledge.recall<Member>(key, minute);
    const known = remembered?.value ?? (await this.#record.member(repository, kind, digest))?.value;
    const size = member.size ?? known?.size;
    const isKnown = known?.mediaType === mediaType && known.size === size;
    if (isKnown) return undefined;
    return size === undefined ? { digest, mediaType } : { digest, mediaType, size };
  }

  #tagSubject(repository: QualifiedName, tag: Tag): Subject<TagRecord> {
    const record = this.#record;
    return {
      key: tagKey(repository, tag),
      parse: parseTag,
      keep: () => onRecord,
      load: async () => {
        const known = await record.tag(repository, tag);
        if (known !== undefined || !this.#knowledge.isShared) return known;
        const at = await record.deletedAt(repository, tag);
        return at === undefined ? undefined : { at, value: undefined };
      },
      save: ({ value }) =>
        value === undefined
          ? record.deleteTag(repository, tag)
          : record.putTag(repository, tag, value),
    };
  }

  #memberSubject(repository: QualifiedName, kind: MemberKind, digest: Digest): Subject<Member> {
    const record = this.#record;
    return {
      key: memberKey(repository, kind, digest),
      // The key says which digest it is; a value that says otherwise is not ours.
      parse: (raw) => {
        const member = parseMember(raw);
        return member?.digest === digest ? member : undefined;
      },
      keep: () => onRecord,
      load: () => record.member(repository, kind, digest),
      save: async ({ at, value }) => {
        if (value !== undefined) await record.putMembers(repository, kind, [value], at);
      },
    };
  }

  #listingSubject(repository: QualifiedName, key: string): Subject<Listing> {
    const record = this.#record;
    return {
      key: `listing:${repository}:${key}`,
      parse: parseListing,
      keep: ({ value }) => {
        const weight = JSON.stringify(value ?? '').length;
        return { memory: minute, shared: weight > maxSharedListing ? 0 : day, weight };
      },
      load: () => record.listing(repository, key),
      save: async ({ value }) => {
        if (value !== undefined) await record.putListing(repository, key, value);
      },
    };
  }
}

/** Absences are never on disk: they live in memory and, where there is one, the shared cache. */
function absenceSubject(key: string): Subject<number> {
  return {
    key,
    parse: parseTime,
    keep: ({ value }) => {
      if (value === undefined) return takenBack;
      const rest = value - Date.now();
      return { memory: rest, shared: rest };
    },
  };
}

/**
 * Keys are unambiguous: only a repository's first component (a registry with a port) and digests
 * hold colons, so the first colon behind a slash ends the repository.
 */
function tagKey(repository: QualifiedName, tag: Tag): string {
  return `tag:${repository}:${tag}`;
}

function memberKey(repository: QualifiedName, kind: MemberKind, digest: Digest): string {
  return `${kind}:${repository}:${digest}`;
}

function absenceKey(repository: QualifiedName, what: string): string {
  return `absent:${repository}:${what}`;
}
