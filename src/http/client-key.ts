/**
 * Who a client is, by its address: an IPv6 client by its network of 64 bits, within which every
 * machine picks its addresses as it likes (RFC 4291, section 2.5.4; RFC 8981).
 * @param address as the socket tells it; undefined where the connection is gone
 */
export function clientKey(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  if (!address.includes(':')) return address;
  // An IPv4 client of a socket that takes both kinds (RFC 4291, section 2.5.5.2).
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [bare = ''] = address.toLowerCase().split('%', 1);
  const [head = '', tail] = bare.split('::', 2);
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const rest = tail === '' ? [] : tail.split(':');
    while (groups.length + rest.length < 8) groups.push('0');
    groups.push(...rest);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}
