import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import bcrypt from 'bcryptjs';
import { Baleen, type Settings } from '../baleen.ts';
import { seededImage, type Image } from '../images.ts';
import { push } from '../push.ts';
import { ScriptedUpstream } from '../scripted-upstream.ts';
import { tempDir } from '../temp-dir.ts';

/** Who may be on the other side; `anonymous` brings nothing along. */
export const accounts = [
  'anonymous',
  'nora',
  'rita',
  'walter',
  'dora',
  'greta',
  'clara',
  'root',
] as const;

export type Account = (typeof accounts)[number];

/** Where repositories lie: hosted for all to pull, hosted for few, and at two upstreams. */
export type Place = 'open' | 'closed' | 'public' | 'private';

/** The configuration's rules, in globs and groups. What they come to is written out in oracle.ts. */
export const access = [
  { accounts: ['anonymous'], repositories: ['docker.io/**', 'local/open'], actions: ['pull'] },
  { accounts: ['rita'], repositories: ['local/closed'], actions: ['pull'] },
  { accounts: ['walter'], repositories: ['local/*'], actions: ['pull', 'push'] },
  { accounts: ['dora'], repositories: ['local/closed'], actions: ['delete', 'pull'] },
  { groups: ['devs'], repositories: ['local/c*'], actions: ['pull'] },
  { groups: ['devs'], repositories: ['local/c*'], actions: ['push'] },
  { accounts: ['clara'], repositories: ['corp.example/**'], actions: ['pull'] },
  { accounts: ['root'], repositories: ['**'], actions: ['admin'] },
];

/** One for each place; no two share a byte. */
export const images: Readonly<Record<Place, Image>> = {
  open: seededImage([300], 901),
  closed: seededImage([300], 902),
  public: seededImage([300], 903),
  private: seededImage([300], 904),
};

export function passwordOf(account: Account): string {
  return `${account} and the sea`;
}

/** The Basic credentials of an account; undefined for who has none. */
export function basicOf(account: Account): string | undefined {
  if (account === 'anonymous') return undefined;
  const text = `${account}:${passwordOf(account)}`;
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

/** A Baleen with accounts, two upstreams, and an image at every place. */
export class PermissionWorld implements AsyncDisposable {
  readonly baleen: Baleen;
  readonly #resources: AsyncDisposableStack;

  private constructor(baleen: Baleen, resources: AsyncDisposableStack) {
    this.baleen = baleen;
    this.#resources = resources;
  }

  static async start(): Promise<PermissionWorld> {
    await using resources = new AsyncDisposableStack();
    const hub = resources.use(await ScriptedUpstream.start());
    const corp = resources.use(await ScriptedUpstream.start({ basic: 'baleen:krill' }));
    for (const name of ['library/whale', 'local/closed']) hub.add(name, 'v1', images.public);
    for (const name of ['team/app', 'local/closed']) corp.add(name, 'v1', images.private);
    const folder = resources.use(tempDir('accounts'));
    const htpasswd = join(folder.path, 'htpasswd');
    await writeFile(htpasswd, passwordFile());
    const settings: Settings = {
      upstreams: {
        'docker.io': { url: hub.url, hosts: ['hub.mirror'] },
        'corp.example': {
          url: corp.url,
          aliases: ['corp.alias'],
          hosts: ['corp.mirror'],
          credentials: { username: 'baleen', password: 'krill' },
        },
      },
      default_upstream: 'docker.io',
      hosted: { repositories: ['local/**'] },
      auth: { htpasswd, groups: { devs: ['greta'] } },
      access,
    };
    const baleen = resources.use(await Baleen.start(settings));
    const root = { url: baleen.url, credentials: `root:${passwordOf('root')}` };
    await push(root, 'local/open', 'v1', images.open);
    await push(root, 'local/closed', 'v1', images.closed);
    return new PermissionWorld(baleen, resources.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

/** At bcrypt's lowest cost. */
function passwordFile(): string {
  return accounts
    .filter((account) => account !== 'anonymous')
    .map((account) => `${account}:${bcrypt.hashSync(passwordOf(account), 4)}\n`)
    .join('');
}
