import { Keyv } from 'keyv';
import { RegistryError } from '../oci/errors.ts';

export interface RedisOptions {
  /** `redis://` or `rediss://`, with or without user, password and database. */
  readonly url: string;
  /** Where it is not in the URL. */
  readonly password?: string | undefined;
}

/** Is told how the connection fares. */
export interface RedisEvents {
  ready(): void;
  failed(error: Error): void;
  /** A value that is not JSON was found. */
  damaged(error: Error): void;
}

export interface RedisConnection {
  /** Rejects whatever Redis did not do; calls fail at once while there is no connection. */
  readonly store: Keyv;
  close(): Promise<void>;
}

/** How long making a connection may take, in milliseconds. */
const connectTimeout = 500;
/**
 * A connection that is silent for this long is dead, in milliseconds: a server that hangs, or a
 * network that swallows. A healthy one is kept from being silent by the ping.
 */
const socketTimeout = 5_000;
const pingInterval = 2_000;
/** The longest pause before the next attempt to connect, in milliseconds. */
const longestPause = 2_000;

/**
 * Starts to connect, and goes on trying until closed. Returns before there is a connection.
 * @throws RegistryError UNKNOWN where the URL is malformed; the message leaves out what it holds
 */
export async function connectRedis(
  { url, password }: RedisOptions,
  events: RedisEvents,
): Promise<RedisConnection> {
  if (!URL.canParse(url) || !/^rediss?:$/.test(new URL(url).protocol)) {
    throw new RegistryError('UNKNOWN', 'the URL of Redis is malformed');
  }
  // Loaded here so that those who use no Redis do not pay for its client.
  const { createClient, default: KeyvRedis } = await import('@keyv/redis');
  const target = new URL(url);
  // Set in the URL: the client drops a separate password where the URL names a user.
  if (password !== undefined) target.password = encodeURIComponent(password);
  let isClosing = false;
  let isDialling = true;
  const client = createClient({
    url: target.href,
    // Fail at once while offline: waiting is decided elsewhere, and what is late is stale.
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
    pingInterval,
    socket: {
      connectTimeout,
      socketTimeout,
      reconnectStrategy: (attempts) =>
        isClosing ? false : Math.min(100 * 2 ** Math.min(attempts, 10), longestPause),
    },
  });
  client.on('error', (error: Error) => {
    isDialling = false;
    if (!isClosing) events.failed(error);
  });
  client.on('connect', () => (isDialling = false));
  client.on('reconnecting', () => (isDialling = true));
  client.on('ready', () => {
    if (!isClosing) events.ready();
  });
  client.connect().catch(() => {
    // Told by the error event already.
  });

  const adapter = new KeyvRedis(client, { throwOnConnectError: false, throwOnErrors: true });
  const store = new Keyv({
    store: adapter,
    namespace: '',
    useKeyPrefix: false,
    throwOnErrors: true,
    serialize: (data) => JSON.stringify(data),
    deserialize: (text) => {
      try {
        return JSON.parse(text);
      } catch (error) {
        events.damaged(error as Error);
        return undefined;
      }
    },
  });
  // Every failure also comes as a rejection; without a listener the event would end the process.
  store.on('error', () => undefined);

  return {
    store,
    async close() {
      if (isClosing) return;
      isClosing = true;
      // A socket that is being connected is out of the client's own reach until it is there.
      if (isDialling) await settled(client);
      if (client.isOpen) client.destroy();
    },
  };
}

/** Waits for the attempt to connect that is under way to end, one way or the other. */
async function settled(client: {
  once(event: 'connect' | 'error', listener: () => void): unknown;
}): Promise<void> {
  await new Promise<void>((resolve) => {
    client.once('connect', resolve);
    client.once('error', resolve);
  });
}
