/*
 * A process that shows whether anybody tries to reach the world: it answers every name with this
 * machine's own address, takes connections to the ports of HTTP, and prints a line for each.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** RFC 1035, section 3.2.2. */
const typeA = 1;

const names = createSocket('udp4');
names.on('message', (query, sender) => {
  const { name, end } = nameIn(query);
  process.stdout.write(`name ${name}\n`);
  const isForAddress = query.readUInt16BE(end) === typeA;
  const header = Buffer.from(query.subarray(0, 12));
  // A response, recursion available, no error; one question, and an answer to those for addresses.
  header.writeUInt16BE(0x8180, 2);
  header.writeUInt16BE(isForAddress ? 1 : 0, 6);
  header.writeUInt32BE(0, 8);
  const answer = Buffer.from([0xc0, 12, 0, typeA, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
  const parts = [header, query.subarray(12, end + 4), ...(isForAddress ? [answer] : [])];
  names.send(Buffer.concat(parts), sender.port, sender.address);
});
names.bind(53, '127.0.0.1');
await once(names, 'listening');

for (const port of [80, 443]) {
  const server = createServer((socket) => {
    process.stdout.write(`connection to ${port}\n`);
    socket.destroy();
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
}
process.stdout.write('listening\n');

/** The name of a query's first question, and where it ends (RFC 1035, section 4.1.2). */
function nameIn(query: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.'), end: at + 1 };
}
