/**
 * A registry that invents its blobs while it sends them, in a process of its own. A blob with a
 * rate leaves by a token bucket that is looked at every 5 ms, so that it flows smoothly.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { BLOCK_SIZE, blobPath, blockOf, manifestPath, type BlobContent } from './content.ts';
import {
  now,
  type Answer,
  type PathRecord,
  type UpstreamAnswer,
  type UpstreamCommand,
  type UpstreamContent,
} from './messages.ts';

const TICK = 5;
/** Bytes that may leave at once; also the least that is worth a write. */
const BURST = 65_536;

interface Answering {
  readonly headers: Readonly<Record<string, string | number>>;
  send(response: ServerResponse, started: () => void): void;
}

const answers = new Map<string, Answering>();
let records: Record<string, PathRecord> = {};

const server = createServer((request, response) => {
  const path = request.url ?? '/';
  if (path === '/v2/' || path === '/v2') {
    response.writeHead(200, { 'content-length': 2, 'content-type': 'application/json' }).end('{}');
    return;
  }
  const found = answers.get(path.split('?', 1)[0] ?? path);
  if (found === undefined) {
    const body = '{"errors":[{"code":"NAME_UNKNOWN","message":"no such content"}]}';
    response.writeHead(404, { 'content-type': 'application/json' }).end(body);
    return;
  }
  answer(path, found, request, response);
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  reply({ port: typeof address === 'object' && address !== null ? address.port : 0 });
});

process.on('message', (command: UpstreamCommand) => {
  if (command.kind === 'content') load(command.content);
  reply(records);
  records = {};
});
process.on('disconnect', () => process.exit(0));

function answer(
  path: string,
  found: Answering,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const arrived = now();
  const record = (records[path] ??= { gets: 0, heads: 0, firstBytes: [] });
  response.writeHead(200, found.headers);
  if (request.method === 'HEAD') {
    record.heads++;
    response.end();
    return;
  }
  record.gets++;
  found.send(response, () => record.firstBytes.push(now() - arrived));
}

function load(content: UpstreamContent): void {
  for (const image of content.images) {
    const body = Buffer.from(image.manifest);
    const answering: Answering = {
      headers: {
        'content-type': image.mediaType,
        'content-length': body.length,
        'docker-content-digest': image.digest,
      },
      send: (response, started) => {
        response.end(body);
        started();
      },
    };
    answers.set(manifestPath(image.repository, image.tag), answering);
    answers.set(manifestPath(image.repository, image.digest), answering);
    for (const blob of content.blobs) {
      if (image.manifest.includes(blob.digest)) {
        answers.set(blobPath(image.repository, blob.digest), blobAnswer(blob));
      }
    }
  }
}

function blobAnswer(blob: BlobContent): Answering {
  const block = blockOf(blob.seed);
  return {
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': blob.size,
      'docker-content-digest': blob.digest,
    },
    send: (response, started) => {
      sendBlob(blob, block, response, started);
    },
  };
}

function sendBlob(
  blob: BlobContent,
  block: Buffer,
  response: ServerResponse,
  started: () => void,
): void {
  const begin = now();
  let sent = 0;
  let full = false;
  const allowed = (): number =>
    blob.rate === 0
      ? blob.size
      : Math.min(blob.size, Math.floor(BURST + ((now() - begin) * blob.rate) / 1000));
  const step = (): void => {
    while (!full && sent < blob.size) {
      const budget = allowed() - sent;
      if (budget < BURST && budget < blob.size - sent) return;
      const offset = sent % BLOCK_SIZE;
      const length = Math.min(budget, BLOCK_SIZE - offset);
      if (sent === 0) started();
      sent += length;
      if (!response.write(block.subarray(offset, offset + length))) {
        full = true;
        response.once('drain', () => {
          full = false;
          step();
        });
      }
    }
    if (sent === blob.size) {
      clearInterval(ticking);
      response.end();
    }
  };
  const ticking = setInterval(step, TICK);
  response.on('close', () => {
    clearInterval(ticking);
    sent = Number.POSITIVE_INFINITY;
  });
  step();
}

function reply(value: UpstreamAnswer): void {
  const message: Answer<UpstreamAnswer> = { value };
  process.send?.(message);
}
