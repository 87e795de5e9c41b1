/**
 * The catalog: what is known, held in up to three places.
 *
 * - The **record** on disk is the truth of this process, and needs nothing else.
 * - The **memory** in front of it (Keyv over an LRU) keeps hot paths off the disk.
 * - A **shared cache** (Keyv over Redis), where there is one, lets replicas with data folders of
 *   their own know what the others know.
 *
 * Writes go to the record first, then to the memory, then to the shared cache; whether that last
 * one took it does not matter. Where the record refuses, the writer is told, and the others know it
 * all the same; unless only what is recorded counts, as for what was pushed, which nobody can be
 * asked for again.
 */
import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import type { QualifiedName } from '../oci/repository-name.ts';
import type { Catalog, Listing, Member, MemberKind, TagRecord } from './catalog.ts';
import { Knowledge, type KnowledgeOptions, type Subject } from './knowledge.ts';
import { rebuildShared } from './rebuild.ts';
import type { Known } from './known.ts';
import type { CatalogRecord } from './record.ts';
import {
  absenceKey,
  absenceSubject,
  listingSubject,
  memberKey,
  memberSubject,
  tagKey,
  tagSubject,
  type Place,
} from './subjects.ts';

export interface KeyvCatalogOptions extends KnowledgeOptions {
  readonly record: CatalogRecord;
  /** What the record refuses is not known, and each writer writes it again; false where absent. */
  readonly onlyRecorded?: boolean | undefined;
  /** Ends the connection of the shared cache. */
  readonly disconnect?: (() => Promise<void>) | undefined;
}

/**
 * How old the memory's word may be while others can be asked, in milliseconds. A link is good for
 * longer: nobody else makes a digest belong to a repository any less.
 */
const freshness = 1_000;
const linkFreshness = 60_000;

export class KeyvCatalog implements Catalog {
  readonly #record: CatalogRecord;
  readonly #knowledge: Knowledge;
  readonly #onlyRecorded: boolean;
  readonly #disconnect: (() => Promise<void>) | undefined;

  constructor({ record, onlyRecorded = false, disconnect, ...knowledge }: KeyvCatalogOptions) {
    this.#record = record;
    this.#onlyRecorded = onlyRecorded;
    this.#knowledge = new Knowledge(knowledge);
    this.#disconnect = disconnect;
  }

  /** Whether the shared cache is in use; true where there is none to be used. */
  get cacheUp(): boolean {
    return this.#knowledge.up;
  }

  async tag(repository: QualifiedName, tag: Tag): Promise<TagRecord | undefined> {
    const known = await this.#knowledge.recall<TagRecord>(tagKey(repository, tag), freshness);
    return known === undefined
      ? this.#knowledge.learn(tagSubject(this.#place(repository), tag))
      : known.value;
  }

  async putTag(repository: QualifiedName, tag: Tag, record: TagRecord): Promise<void> {
    const subject = tagSubject(this.#place(repository), tag);
    await this.#knowledge.serially([subject.key], async () => {
      const write = async (): Promise<void> => {
        await this.#record.putTag(repository, tag, record);
        if (this.#knowledge.isShared) await this.#record.unmarkDeleted(repository, tag);
      };
      await this.#put([[subject, { at: record.checkedAt, value: record }]], write);
    });
  }

  async deleteTag(repository: QualifiedName, tag: Tag): Promise<void> {
    const subject = tagSubject(this.#place(repository), tag);
    await this.#knowledge.serially([subject.key], async () => {
      const current = await this.#record.tag(repository, tag);
      const at = Math.max(Date.now(), (current?.at ?? 0) + 1);
      // Without the mark, a shared cache that cannot be told now would bring the tag back after a
      // restart of this process.
      const isMarked = this.#knowledge.isShared && current !== undefined;
      if (isMarked) await this.#record.markDeleted(repository, tag, at);
      await this.#remove(subject.key, () => this.#record.deleteTag(repository, tag));
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
    const unknown = await this.#allNews(repository, kind, distinct);
    if (unknown.length === 0) return;
    const keys = unknown.map(({ digest }) => memberKey(repository, kind, digest));
    await this.#knowledge.serially(keys, async () => {
      // Whoever was first in the queue may have written the same.
      const news = await this.#allNews(repository, kind, unknown);
      if (news.length === 0) return;
      const at = Date.now();
      const known = news.map((member): [Subject<Member>, Known<Member>] => [
        memberSubject(this.#place(repository), kind, member.digest),
        { at, value: member },
      ]);
      await this.#put(known, () => this.#record.putMembers(repository, kind, news, at));
    });
  }

  async relink(repository: QualifiedName, kind: MemberKind, member: Member): Promise<void> {
    const subject = memberSubject(this.#place(repository), kind, member.digest);
    await this.#knowledge.serially([subject.key], async () => {
      const at = Date.now();
      await this.#put([[subject, { at, value: member }]], () =>
        this.#record.putMembers(repository, kind, [member], at),
      );
    });
  }

  async linked(
    repository: QualifiedName,
    kind: MemberKind,
    digest: Digest,
  ): Promise<Member | undefined> {
    const key = memberKey(repository, kind, digest);
    const known = await this.#knowledge.recall<Member>(key, linkFreshness);
    return known === undefined
      ? this.#knowledge.learn(memberSubject(this.#place(repository), kind, digest))
      : known.value;
  }

  async unlink(
    repository: QualifiedName,
    kind: MemberKind,
    digests: readonly Digest[],
  ): Promise<void> {
    for (const digest of digests) {
      const subject = memberSubject(this.#place(repository), kind, digest);
      await this.#forget(subject, () => this.#record.deleteMember(repository, kind, digest));
    }
  }

  members(repository: QualifiedName, kind: MemberKind): Promise<Digest[]> {
    return this.#record.members(repository, kind);
  }

  async listing(repository: QualifiedName, key: string): Promise<Listing | undefined> {
    const subject = listingSubject(this.#place(repository), key);
    const known = await this.#knowledge.recall<Listing>(subject.key, freshness);
    return known === undefined ? this.#knowledge.learn(subject) : known.value;
  }

  async putListing(repository: QualifiedName, key: string, listing: Listing): Promise<void> {
    const subject = listingSubject(this.#place(repository), key);
    await this.#knowledge.serially([subject.key], async () => {
      await this.#record.putListing(repository, key, listing);
      await this.#knowledge.tell(subject, { at: listing.fetchedAt, value: listing });
    });
  }

  async deleteListing(repository: QualifiedName, key: string): Promise<void> {
    const subject = listingSubject(this.#place(repository), key);
    await this.#forget(subject, () => this.#record.deleteListing(repository, key));
  }

  listings(repository: QualifiedName): Promise<string[]> {
    return this.#record.listings(repository);
  }

  async absent(repository: QualifiedName, what: string): Promise<boolean> {
    const key = absenceKey(repository, what);
    const known = await this.#knowledge.recall<number>(key, freshness);
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

  prune(repository: QualifiedName): Promise<void> {
    return this.#record.prune(repository);
  }

  repositories(): Promise<QualifiedName[]> {
    return this.#record.repositories();
  }

  /** What is on record, piece by piece, each put into the shared cache where that lacks it. */
  rebuild(): AsyncGenerator<boolean | undefined> {
    return rebuildShared(this.#knowledge, this.#record, (repository) => this.#place(repository));
  }

  async close(): Promise<void> {
    await this.#knowledge.close();
    await this.#disconnect?.();
  }

  /** Writes to the record, then tells. */
  async #put<V>(
    known: readonly (readonly [Subject<V>, Known<V>])[],
    write: () => Promise<void>,
  ): Promise<void> {
    const tell = (): Promise<unknown> =>
      Promise.all(known.map(([subject, value]) => this.#knowledge.tell(subject, value)));
    const keys = known.map(([{ key }]) => key);
    try {
      await write();
    } catch (error) {
      // Elsewhere, a disk that refuses does not make it less true: nobody need ask again.
      await (this.#onlyRecorded ? this.#distrust(keys) : tell());
      throw error;
    }
    await tell();
  }

  async #remove(key: string, remove: () => Promise<unknown>): Promise<void> {
    try {
      await remove();
    } catch (error) {
      // It may be gone all the same.
      if (this.#onlyRecorded) await this.#distrust([key]);
      throw error;
    }
  }

  async #distrust(keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.#knowledge.forget(key);
  }

  async #allNews(
    repository: QualifiedName,
    kind: MemberKind,
    members: readonly Member[],
  ): Promise<Member[]> {
    const checked = members.map((member) => this.#news(repository, kind, member));
    return (await Promise.all(checked)).filter((member) => member !== undefined);
  }

  /** The member where the record does not have all of it yet, completed by what the record has. */
  async #news(
    repository: QualifiedName,
    kind: MemberKind,
    member: Member,
  ): Promise<Member | undefined> {
    const { digest, mediaType, claimed } = member;
    const key = memberKey(repository, kind, digest);
    const remembered = await this.#knowledge.recall<Member>(key, linkFreshness);
    const known = remembered?.value ?? (await this.#record.member(repository, kind, digest))?.value;
    if (known !== undefined && claimed) return undefined;
    const size = member.size ?? known?.size;
    const isKnown = known?.mediaType === mediaType && known.size === size && !known.claimed;
    // Where only the record counts, what is there may not be durable, or have gone behind our back.
    if (isKnown && !this.#onlyRecorded) return undefined;
    return {
      digest,
      mediaType,
      ...(size === undefined ? {} : { size }),
      ...(claimed ? { claimed } : {}),
    };
  }

  async #forget<V>(subject: Subject<V>, remove: () => Promise<unknown>): Promise<void> {
    await this.#knowledge.serially([subject.key], async () => {
      const current = await subject.load?.();
      await this.#remove(subject.key, remove);
      const at = Math.max(Date.now(), (current?.at ?? 0) + 1);
      await this.#knowledge.tell(subject, { at, value: undefined });
    });
  }

  #place(repository: QualifiedName): Place {
    return { record: this.#record, repository, isShared: this.#knowledge.isShared };
  }
}
