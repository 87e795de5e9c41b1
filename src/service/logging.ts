import type { Config } from '../config/config.ts';
import { createAccessLog, type AccessLog } from '../telemetry/access-log.ts';
import type { LineWriter } from '../telemetry/line-writer.ts';
import { createLogger, type LeveledLogger } from '../telemetry/logger.ts';
import { openStandardOutput, wantsColour } from '../telemetry/standard-output.ts';
import type { Reloadable } from './reload.ts';

/** Everything that writes lines. What is written follows the configuration; how it looks does not. */
export class Logging implements Reloadable {
  readonly writer: LineWriter;
  readonly logger: LeveledLogger;
  /** Undefined where requests are not logged. */
  access: AccessLog | undefined;
  readonly #accessLog: AccessLog;

  /** Writes to standard output. */
  constructor({ log }: Config) {
    const colour = wantsColour(process.stdout, process.env);
    const { level, format } = log;
    this.writer = openStandardOutput(format, colour);
    this.logger = createLogger({ level, format, colour, writer: this.writer });
    this.#accessLog = createAccessLog({ format, colour, writer: this.writer });
    this.access = log.access ? this.#accessLog : undefined;
  }

  prepare({ log }: Config): () => void {
    return () => {
      this.logger.level = log.level;
      this.access = log.access ? this.#accessLog : undefined;
    };
  }
}
