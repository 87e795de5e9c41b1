import type { ServerName } from '../options.ts';

/** A server under test, running. */
export interface Server {
  readonly name: ServerName;
  readonly port: number;
  /** Its process group. */
  readonly group: number;
  /** Ends it and removes what it stored. */
  stop(): Promise<void>;
}

/** How to start one kind of server, on a free port, before an upstream, with an empty cache. */
export interface ServerKind {
  readonly name: ServerName;
  /** A line for the report: program, version, settings that matter. Undefined where it is not installed. */
  describe(): Promise<string | undefined>;
  start(upstreamPort: number): Promise<Server>;
  /** The same as a registry that can be pushed to; left out where it is none. */
  startHosted?: () => Promise<Server>;
}
