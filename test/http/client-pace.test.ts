import { expect, it } from '@jest/globals';
import { ClientPace, paceOf } from '../../src/http/client-pace.ts';

const MiB = 1024 * 1024;

it('calls a client swift once it has taken more than the kernel would hide', () => {
  const pace = new ClientPace();
  pace.wrote(3 * MiB, 1);
  expect(pace.grade).toBe('new');
  pace.wrote(MiB, 1);
  expect(pace.grade).toBe('swift');
});

it('calls a client slow that lets a write wait, until it has made up for it', () => {
  const pace = new ClientPace();
  pace.wrote(8 * MiB, 1);
  pace.wrote(MiB / 2, 1_001);
  expect(pace.grade).toBe('slow');
  pace.wrote(3 * MiB, 1);
  expect(pace.grade).toBe('slow');
  pace.wrote(MiB, 1);
  expect(pace.grade).toBe('swift');
});

it('remembers a connection from one request to the next', () => {
  const connection = {};
  paceOf(connection).wrote(4 * MiB, 1);
  expect(paceOf(connection).grade).toBe('swift');
  expect(paceOf({}).grade).toBe('new');
});
