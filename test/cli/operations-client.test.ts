import { describe, expect, it } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { folderId } from '../../src/service/about.ts';
import { CommandFailure } from '../../src/cli/context.ts';
import { OperationsClient } from '../../src/cli/operations-client.ts';
import { loadConfig } from '../../src/config/load.ts';
import { testResources } from '../support/resources.ts';
import { LoopbackServer, type Handler } from '../support/scripted/loopback-server.ts';

const resources = testResources();
const directory = import.meta.dirname;

/** Whom the commands for a directory find, where a server answers so. */
async function findAt(data: string, handler: Handler): Promise<OperationsClient | undefined> {
  const server = resources.use(new LoopbackServer(handler));
  await server.start();
  const env = {
    BALEEN_OPERATIONS_LISTEN: new URL(server.origin).host,
    BALEEN_STORAGE_DIRECTORY: data,
  };
  return OperationsClient.find(loadConfig({ env }));
}

it.each(['null', '{}', '{"folder":""}', '"Baleen"', '<html>'])(
  'what answers %s is no Baleen, also where there is no directory',
  async (text) => {
    for (const data of [directory, `${directory}/missing`]) {
      expect(await findAt(data, (_seen, answer) => void answer.end(text))).toBeUndefined();
    }
  },
);

describe('the running Baleen that goes away', () => {
  /** A client of a Baleen that answers so. */
  const find = async (reply: (answer: ServerResponse) => void): Promise<OperationsClient> => {
    const folder = await folderId(directory);
    const client = await findAt(directory, ({ url }, answer) => {
      if (url === '/api/about') answer.end(JSON.stringify({ folder }));
      else reply(answer);
    });
    if (client === undefined) throw new Error('it was not found');
    return resources.use(client);
  };
  const gone = expect.objectContaining({
    name: CommandFailure.name,
    message: 'the running Baleen went away before it was done; see its log',
  });

  it('before it answers is told of in words', async () => {
    const client = await find((answer) => answer.destroy());
    await expect(client.get('stats')).rejects.toEqual(gone);
    await expect(client.post('gc')).rejects.toEqual(gone);
  });

  it('in the middle of an answer is told of in words', async () => {
    const client = await find((answer) => {
      answer.writeHead(200, { 'content-length': 100 }).write('{"a":');
      setTimeout(() => answer.destroy(), 20);
    });
    await expect(client.get('stats')).rejects.toEqual(gone);
  });

  it.each(['', '{"step":'])('between two lines, or in the middle of one (%s)', async (rest) => {
    const client = await find((answer) => {
      answer.write(`{"step":1}\n${rest}`);
      setTimeout(() => answer.destroy(), 20);
    });
    const told: unknown[] = [];
    const all = async (): Promise<void> => {
      for await (const line of client.stream('verify')) told.push(line);
    };
    await expect(all()).rejects.toEqual(gone);
    expect(told).toEqual([{ step: 1 }]);
  });
});
