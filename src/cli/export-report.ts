import type { BundlePlan, LackingImage } from '../bundle/bundle-plan.ts';
import type { Lack } from '../bundle/image-walk.ts';
import { describeByteSize } from '../lib/byte-size.ts';

/** What an export is going to write; `--json` prints it as it is. */
export interface ExportPlanned {
  readonly kind: 'planned';
  readonly images: readonly {
    readonly name: string;
    readonly digest: string;
    readonly platforms: readonly string[];
  }[];
  readonly referrers: number;
  readonly manifests: number;
  /** Those that go into the bundle, and their bytes. */
  readonly blobs: number;
  readonly blob_bytes: number;
  /** Those that the far side is said to have. */
  readonly left_out_blobs: number;
  readonly left_out_bytes: number;
  /** Bytes of the bundle, before it is compressed. */
  readonly bytes: number;
}

/** What an export has written. */
export interface ExportSummary extends Omit<ExportPlanned, 'kind' | 'images'> {
  readonly kind: 'summary';
  readonly images: number;
  /** In their order; `-` for standard output. */
  readonly files: readonly string[];
  /** Bytes that were written: fewer than `bytes` where they were compressed. */
  readonly written: number;
  readonly seconds: number;
  /** The id of the key that signed it. */
  readonly signed_by?: string;
}

/** Counts what a plan holds. */
export function plannedOf(plan: BundlePlan, bytes: number): ExportPlanned {
  const included = plan.blobs.filter(({ included }) => included);
  const left = plan.blobs.filter(({ included }) => !included);
  return {
    kind: 'planned',
    images: plan.images.map(({ name, digest, platforms }) => ({ name, digest, platforms })),
    referrers: plan.referrers.length,
    manifests: plan.manifests.length,
    blobs: included.length,
    blob_bytes: sizeOf(included),
    left_out_blobs: left.length,
    left_out_bytes: sizeOf(left),
    bytes,
  };
}

/** The images, one a line, with their platforms. */
export function describePlan({ images }: ExportPlanned): string {
  return images
    .map(
      ({ name, platforms }) =>
        `${name}${platforms.length > 0 ? ` (${platforms.join(', ')})` : ''}\n`,
    )
    .join('');
}

/** What is in a bundle, in half a sentence. */
export function describeContents(
  counts: Omit<ExportPlanned, 'kind' | 'images'>,
  images: number,
): string {
  const { referrers, manifests, blobs, blob_bytes, left_out_blobs, left_out_bytes } = counts;
  return [
    count(images, 'image'),
    ...(referrers > 0 ? [count(referrers, 'referrer')] : []),
    count(manifests, 'manifest'),
    `${count(blobs, 'blob')} (${describeByteSize(blob_bytes)})`,
    ...(left_out_blobs > 0
      ? [`${count(left_out_blobs, 'blob')} left out (${describeByteSize(left_out_bytes)})`]
      : []),
  ].join(', ');
}

/** The last lines. */
export function describeSummary(summary: ExportSummary): string {
  const { files, written, seconds, images, signed_by } = summary;
  const [first = '', ...more] = files;
  const where =
    more.length === 0
      ? first === '-'
        ? 'to standard output'
        : first
      : `${count(files.length, 'part')}, ${first} to ${more.at(-1) ?? ''}`;
  const rate = seconds > 0 ? `, ${describeByteSize(Math.round(written / seconds))}/s` : '';
  const signed = signed_by === undefined ? '' : `Signed with the key ${signed_by}.\n`;
  return (
    `Wrote ${where}: ${describeContents(summary, images)}.\n` +
    `${describeByteSize(written)} in ${seconds} s${rate}.\n${signed}`
  );
}

/** What is lacking, image by image, and what brings it. */
export function describeLacking(lacking: readonly LackingImage[]): string {
  const images = lacking.map((image) => {
    const reasons = reasonsOf(image).map((reason) => `    ${reason}\n`);
    return `  ${image.name}\n${reasons.join('')}    → ${adviceFor(image)}\n`;
  });
  return `${count(lacking.length, 'image')} not wholly stored; nothing was written.\n${images.join('')}`;
}

/** What brings what an image lacks. */
export function adviceFor({ name, isHosted, isReferrer, lacks }: LackingImage): string {
  const repair = lacks.some(({ kind }) => kind === 'damaged') ? 'baleen verify --repair; ' : '';
  const notOffered = lacks.filter((lack) => lack.kind === 'not offered');
  if (notOffered.length > 0 && notOffered.length === lacks.length) {
    const [{ offered } = { offered: [] }] = notOffered;
    return offered.length === 0 ? 'leave out --platform' : `--platform ${offered.join(',')}`;
  }
  if (isHosted) return `${repair}push it again`;
  const platforms = platformsOf(lacks);
  const options = [
    ...(platforms.length > 0 ? [`--platform ${platforms.join(',')}`] : []),
    ...(isReferrer ? ['--referrers'] : []),
  ];
  return [`${repair}baleen warm ${name}`, ...options].join(' ');
}

function platformsOf(lacks: readonly Lack[]): string[] {
  const named = lacks.flatMap((lack) => ('digest' in lack ? (lack.platform ?? []) : []));
  return [...new Set(named)].toSorted();
}

/** One line for each platform, and for what is of none. */
function reasonsOf({ lacks, isHosted, isReferrer }: LackingImage): string[] {
  if (lacks.length === 0) return [isHosted ? 'it was never pushed here' : 'it is not known here'];
  const reasons = new Map<string, number>();
  for (const lack of lacks) {
    const reason = reasonOf(lack, isReferrer);
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  return [...reasons].map(([reason, times]) => (times > 1 ? `${times} × ${reason}` : reason));
}

function reasonOf(lack: Lack, isReferrer: boolean): string {
  switch (lack.kind) {
    case 'not offered': {
      const offered = lack.offered.length > 0 ? `: it is for ${lack.offered.join(', ')}` : '';
      return `there is no ${lack.platform} of it${offered}`;
    }
    case 'no platform':
      return `none of its platforms is stored (${lack.offered.join(', ')})`;
    default: {
      const state = lack.kind === 'missing' ? 'is not stored' : 'is damaged';
      const whose = isReferrer ? ' of what refers to it' : '';
      const platform = lack.platform === undefined ? '' : `${lack.platform}: `;
      return `${platform}a ${lack.content}${whose} ${state}`;
    }
  }
}

function sizeOf(contents: readonly { readonly size: number }[]): number {
  return contents.reduce((sum, { size }) => sum + size, 0);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
