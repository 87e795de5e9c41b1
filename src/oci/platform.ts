import type { Descriptor } from './descriptor.ts';
import { RegistryError } from './errors.ts';

/** What an image is made for (image-spec, "Image Index": `platform`), in containerd's normal form. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** Such as `v7` of `arm`; left out where it is the usual one: `v8` of `arm64`, `v1` of `amd64`. */
  readonly variant?: string;
  /** Of Windows: `10.0.17763.1234`. In a wish its first numbers are enough. */
  readonly osVersion?: string;
}

/** Which of an image's platforms are wanted. */
export type Platforms = 'all' | readonly Platform[];

const component = String.raw`[a-z0-9_][a-z0-9_.-]*`;
const isComponent = /^[a-z0-9_][a-z0-9_.-]{0,50}$/;

/** `linux/arm/v7`, `windows/amd64:10.0.17763`, and as containerd writes it `windows(10.0.17763)/amd64`. */
const shape = new RegExp(
  String.raw`^(${component})(?:\(([\d.]+)\))?/(${component})(?:/(${component}))?(?::([\d.]+))?$`,
);

/** What a platform is called by everybody; `amd64` alone is taken for `linux/amd64`. */
const architectures: ReadonlySet<string> = new Set(
  '386 amd64 arm arm64 loong64 mips64le ppc64le riscv64 s390x'.split(' '),
);

/**
 * Reads a platform as people write it, and normalises it as containerd does: `linux/arm64` and
 * `Linux/aarch64/v8` are the same, `linux/arm` is `linux/arm/v7`.
 * @throws RegistryError REQUEST_INVALID
 */
export function parsePlatform(text: string): Platform {
  const lower = text.trim().toLowerCase();
  const match = shape.exec(architectures.has(lower) ? `linux/${lower}` : lower);
  if (match === null) {
    const sample = text.slice(0, 100);
    throw new RegistryError(
      'REQUEST_INVALID',
      `"${sample}" is no platform: write it like linux/amd64, linux/arm/v7 or all`,
    );
  }
  const [, os = '', named, architecture = '', variant, version = named] = match;
  return normalise(os, architecture, variant, version);
}

/**
 * Reads a list of platforms. `all` among them is all.
 * @throws RegistryError REQUEST_INVALID
 */
export function parsePlatforms(texts: readonly string[]): Platforms {
  if (texts.some((text) => text.trim().toLowerCase() === 'all')) return 'all';
  const byName = new Map(
    texts.map((text) => {
      const platform = parsePlatform(text);
      return [formatPlatform(platform), platform];
    }),
  );
  return [...byName.values()];
}

/** Writes a platform so that {@link parsePlatform} gives it back. */
export function formatPlatform({ os, architecture, variant, osVersion }: Platform): string {
  const version = osVersion === undefined ? '' : `:${osVersion}`;
  return `${os}/${architecture}${variant === undefined ? '' : `/${variant}`}${version}`;
}

/** What a document says of a platform (an index of its child, an image's config of itself); undefined where it says none. */
export function readPlatform(value: unknown): Platform | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { os, architecture, variant, 'os.version': osVersion } = value as Record<string, unknown>;
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  const written = [os, architecture, lower(variant) ?? 'none'].map((each) => each.toLowerCase());
  // Whoever wrote it has it printed, and told as an option: nothing passes but what is one.
  if (!written.every((each) => isComponent.test(each))) return undefined;
  const version = lower(osVersion);
  const known = version !== undefined && /^[\d.]{1,50}$/.test(version) ? version : undefined;
  return normalise(os.toLowerCase(), architecture.toLowerCase(), lower(variant), known);
}

/**
 * How well what is offered serves a machine of a platform, as containerd ranks it: 0 is its own, more
 * is an older one that it runs as well, undefined is none.
 */
export function rankFor(wanted: Platform, offered: Platform): number | undefined {
  if (wanted.os !== offered.os || !isOfVersion(offered.osVersion, wanted.osVersion)) {
    return undefined;
  }
  const { architecture, variant = '' } = offered;
  const rank = runnableOn(wanted).indexOf(`${architecture}/${variant}`);
  return rank < 0 ? undefined : rank;
}

/** Some children of an index. */
export interface ChosenChildren {
  /** In the order of the index. */
  readonly children: readonly Descriptor[];
  /** What the index has nothing for. */
  readonly missing: readonly Platform[];
}

/**
 * Chooses the children of an index that machines of some platforms need: for each the best that it
 * can run. What says no platform comes along, since only its content tells; and so do the attestations
 * of what was chosen (BuildKit, "Image attestation storage": annotations `vnd.docker.reference.*`).
 */
export function chooseChildren(index: readonly Descriptor[], wanted: Platforms): ChosenChildren {
  if (wanted === 'all') return { children: index, missing: [] };
  const offers = index.map((child) => ({ child, platform: readPlatform(child['platform']) }));
  const chosen = new Set<Descriptor>();
  for (const { child, platform } of offers) {
    if (platform === undefined && !isAttestation(child)) chosen.add(child);
  }
  const mayBeAnything = chosen.size > 0;
  const missing: Platform[] = [];
  for (const each of wanted) {
    const ranked = offers.map(({ child, platform }) => ({
      child,
      rank: (platform && rankFor(each, platform)) ?? Infinity,
    }));
    const best = Math.min(...ranked.map(({ rank }) => rank));
    if (best < Infinity) {
      for (const { child, rank } of ranked) if (rank === best) chosen.add(child);
    } else if (!mayBeAnything) {
      missing.push(each);
    }
  }
  const digests = new Set([...chosen].map(({ digest }) => digest as string));
  const children = index.filter((child) => {
    if (!isAttestation(child)) return chosen.has(child);
    const subject = child.annotations?.[subjectAnnotation];
    return subject === undefined || digests.has(subject);
  });
  return { children, missing };
}

const subjectAnnotation = 'vnd.docker.reference.digest';

/** What is said about an image, in its index beside it: no machine runs it. */
export function isAttestation({ annotations, platform }: Descriptor): boolean {
  if (annotations?.['vnd.docker.reference.type'] !== undefined) return true;
  const { os, architecture } = (platform ?? {}) as Record<string, unknown>;
  return os === 'unknown' && architecture === 'unknown';
}

/** Every architecture and variant that a machine runs, its own first (containerd's `platforms.Only`). */
function runnableOn({ architecture, variant }: Platform): string[] {
  const level = Number(variant?.slice(1));
  switch (architecture) {
    case 'amd64':
      return [...levels('amd64', level || 1, 1), '386/'];
    case 'arm':
      return levels('arm', level || 7, 5);
    case 'arm64':
      // From v9 on there are minor versions, too, of which containerd has a table: v8 is what is built.
      return [...new Set([`arm64/${variant ?? ''}`, 'arm64/']), ...levels('arm', 8, 5)];
    default:
      return [`${architecture}/${variant ?? ''}`];
  }
}

function levels(architecture: string, from: number, to: number): string[] {
  const usual = architecture === 'amd64' ? 1 : 0;
  return Array.from(
    { length: Math.min(Math.max(from - to, 0), 10) + 1 },
    (_, nth) => from - nth,
  ).map((level) => `${architecture}/${level === usual ? '' : `v${level}`}`);
}

/** A wish for a version is one for all whose first numbers are these. */
function isOfVersion(offered: string | undefined, wanted: string | undefined): boolean {
  if (wanted === undefined || offered === undefined) return true;
  return `${offered}.`.startsWith(`${wanted}.`);
}

/** containerd's `platforms.Normalize`. */
function normalise(
  os: string,
  architecture: string,
  variant: string | undefined,
  osVersion: string | undefined,
): Platform {
  const [arch, usual] = aliases.get(architecture) ?? [architecture, variant];
  const written = variant || usual;
  const level = written !== undefined && /^\d/.test(written) ? `v${written}` : written;
  const kept = arch === 'arm' ? (level ?? 'v7') : level === unsaid.get(arch) ? undefined : level;
  return {
    os: os === 'macos' ? 'darwin' : os,
    architecture: arch,
    ...(kept && { variant: kept }),
    ...(osVersion && { osVersion }),
  };
}

/** Other names of architectures, and the variant that they imply. */
const aliases: ReadonlyMap<string, readonly [string, string?]> = new Map([
  ['i386', ['386']],
  ['x86_64', ['amd64']],
  ['x86-64', ['amd64']],
  ['aarch64', ['arm64']],
  ['armhf', ['arm', 'v7']],
  ['armel', ['arm', 'v6']],
]);

/** The variants that go without saying. */
const unsaid: ReadonlyMap<string, string> = new Map([
  ['amd64', 'v1'],
  ['arm64', 'v8'],
]);

function lower(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.toLowerCase() : undefined;
}
