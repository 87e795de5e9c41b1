import { expect, it, jest } from '@jest/globals';
import { Baleen } from '../support/baleen.ts';
import { get } from '../support/http-get.ts';
import { seededImage } from '../support/images.ts';
import { openSocket } from '../support/raw-request.ts';
import { testResources } from '../support/resources.ts';
import { dockerHubScripted } from '../support/scripted-baleen.ts';
import { ScriptedUpstream } from '../support/scripted-upstream.ts';
import { waitFor } from '../support/wait-for.ts';

jest.setTimeout(60_000);

const resources = testResources();

it('a process without a file left to open says so, survives, and serves again once it has some', async () => {
  const [warm, cold] = [seededImage([1_000_000], 81), seededImage([1_000_000], 82)];
  const upstream = resources.use(await ScriptedUpstream.start());
  upstream.add('blue/whale', 'warm', warm);
  upstream.add('blue/whale', 'cold', cold);
  const baleen = resources.use(await Baleen.prepare(dockerHubScripted(upstream)));
  baleen.openFiles = 64;
  await baleen.start();
  const pull = async ({ manifest, blobs }: typeof warm): Promise<boolean> => {
    const wanted = [
      `manifests/${manifest.digest}`,
      ...blobs.map(({ digest }) => `blobs/${digest}`),
    ];
    const got = await Promise.all(wanted.map((path) => get(`${baleen.url}/v2/blue/whale/${path}`)));
    return got.every(({ digest }, index) => wanted[index]?.endsWith(digest));
  };
  expect(await pull(warm)).toBe(true);
  // Over a connection that is kept: there will be no other.
  expect(await baleen.metric('baleen_file_descriptors_exhausted')).toBe(0);

  // Not idle, so that they do not give way: each has begun to ask for something. More and more of
  // them, for what the process itself closes meanwhile leaves room again.
  const sockets: ReturnType<typeof openSocket>[] = [];
  resources.defer(() => sockets.forEach((socket) => socket.destroy()));
  const occupy = (): void => {
    const socket = openSocket(baleen.port);
    socket.write('GET /v2/ HTTP/1.1\r\n');
    sockets.push(socket);
  };
  await baleen.process.until('has no file left to open', () => {
    occupy();
    return baleen.process.stdout.includes('no more files can be opened');
  });
  expect(await baleen.metric('baleen_file_descriptors_exhausted')).toBe(1);
  // Some of these are closed, some fail; what matters is what comes after.
  await Promise.all(Array.from({ length: 20 }, () => pull(cold)));

  for (const socket of sockets) socket.destroy();
  await waitFor('cached content to be served again', () => pull(warm));
  await waitFor('what is not cached to be fetched again', () => pull(cold));
  await baleen.process.until('says so', () =>
    baleen.process.stdout.includes('files can be opened again'),
  );
  expect(await baleen.metric('baleen_file_descriptors_exhausted')).toBe(0);
  expect(await baleen.metric('baleen_process_failures_total')).toBe(0);
  expect(await baleen.metric('baleen_downloads_in_flight')).toBe(0);
});
