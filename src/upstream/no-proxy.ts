import { BlockList, isIP } from 'node:net';

interface Entry {
  readonly matches: (host: string) => boolean;
  /** Undefined for any. */
  readonly port: number | undefined;
}

/**
 * The hosts that are reached without a proxy, as NO_PROXY lists them: `*`, `example.com` (and all
 * below it), `.example.com` or `*.example.com` (only what is below it), addresses, CIDR blocks,
 * each but the blocks with an optional `:port`. Loopback is always among them.
 */
export class NoProxy {
  readonly #entries: readonly Entry[];

  constructor(list: string) {
    this.#entries = list
      .split(/[\s,]+/)
      .filter((text) => text !== '')
      .map(parseEntry);
  }

  covers(url: URL): boolean {
    const host = unbracket(url.hostname).replace(/\.$/, '');
    if (host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)) return true;
    const port = Number(url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port);
    return this.#entries.some(
      (entry) => (entry.port === undefined || entry.port === port) && entry.matches(host),
    );
  }
}

function parseEntry(text: string): Entry {
  if (text === '*') return { matches: () => true, port: undefined };
  const block = parseBlock(text);
  if (block !== undefined) return { matches: block, port: undefined };
  const [, bracketed, rest] = /^\[(.*)\](?::(\d+))?$/.exec(text) ?? [];
  if (bracketed !== undefined) return { matches: exactly(bracketed), port: toPort(rest) };
  if (isIP(text) !== 0) return { matches: exactly(text), port: undefined };
  const [, name = text, port] = /^(.*?)(?::(\d+))?$/.exec(text) ?? [];
  return { matches: isIP(name) === 0 ? domain(name) : exactly(name), port: toPort(port) };
}

function parseBlock(text: string): ((host: string) => boolean) | undefined {
  const [, address = '', bits] = /^([0-9a-fA-F:.]+)\/(\d{1,3})$/.exec(text) ?? [];
  const family = isIP(address);
  if (family === 0 || Number(bits) > (family === 4 ? 32 : 128)) return undefined;
  const list = new BlockList();
  list.addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
  return (host) => isIP(host) !== 0 && list.check(host, isIP(host) === 4 ? 'ipv4' : 'ipv6');
}

function exactly(address: string): (host: string) => boolean {
  const list = new BlockList();
  const family = isIP(address);
  if (family === 0) return () => false;
  list.addAddress(address, family === 4 ? 'ipv4' : 'ipv6');
  return (host) => isIP(host) !== 0 && list.check(host, isIP(host) === 4 ? 'ipv4' : 'ipv6');
}

function domain(text: string): (host: string) => boolean {
  const name = text
    .toLowerCase()
    .replace(/^\*(?=\.)/, '')
    .replace(/(?<=.)\.$/, '');
  if (name.startsWith('.')) return (host) => host.length > name.length && host.endsWith(name);
  return (host) => host === name || host.endsWith(`.${name}`);
}

function toPort(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

function unbracket(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}
