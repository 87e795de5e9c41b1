import type { CommandResult } from '../command.ts';
import type { RunnableImage } from '../runnable-image.ts';

/** A registry to push to, as a client sees it. */
export interface PushTarget {
  /** `<address>:<port>`. */
  readonly host: string;
  /** A folder with `ca.crt`, who signed the registry's certificate; undefined for plain HTTP. */
  readonly certificates: string | undefined;
}

/**
 * A machine with a real client that pushes to a registry and pulls from it. Images go by their
 * names within the registry, such as `local/app:1.0`.
 */
export interface PushClient extends AsyncDisposable {
  /** Logs in; a client without such a command notes the password for what it does next. */
  login(username: string, password: string): Promise<CommandResult>;
  logout(): Promise<void>;
  /** Puts an image into the client's own store, to be pushed under a name. */
  hold(name: string, image: RunnableImage): Promise<void>;
  push(name: string): Promise<CommandResult>;
  /** Pulls into an empty store, as another machine would. */
  pull(name: string): Promise<CommandResult>;
  /** What the image pulled last prints when it runs, or what takes the place of running it. */
  output(): Promise<string>;
}
