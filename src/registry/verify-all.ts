import {
  Verification,
  type Tally,
  type VerifyEvent,
  type VerifyOptions,
  type VerifyParameters,
  type VerifyStep,
} from './verify.ts';

/** What there is to be verified. */
export interface VerifyParts {
  readonly cached: VerifyOptions;
  /** What was pushed; undefined where there is nothing of the kind. */
  readonly hosted: VerifyOptions | undefined;
}

/**
 * Verifies what is cached, then what was pushed, as if it were one: the result is that of both.
 * @throws the file system's error for a folder that cannot be read, or the signal's reason
 */
export async function* verifyAll(
  { cached, hosted }: VerifyParts,
  parameters: VerifyParameters,
  signal: AbortSignal,
): AsyncGenerator<VerifyEvent, void, undefined> {
  const total: Tally = { files: 0, bytes: 0, problems: 0, repaired: 0 };
  let seconds = 0;
  for (const [options, isHosted] of [
    [cached, false],
    [hosted, true],
  ] as const) {
    if (options === undefined) continue;
    const repair = parameters.repair && options.mayRepair !== false;
    const verification = new Verification(options, { ...parameters, repair }, signal);
    for await (const event of verification.run()) {
      if (event.event === 'result') {
        for (const key of Object.keys(total) as (keyof Tally)[]) total[key] += event[key];
        seconds += event.seconds;
      } else if (!isHosted) {
        yield event;
      } else if (event.event !== 'step' || event.files > 0) {
        yield asHosted(event);
      }
    }
  }
  yield { event: 'result', ...total, seconds: Math.round(seconds * 1000) / 1000 };
}

function asHosted(event: Exclude<VerifyEvent, { readonly event: 'result' }>): VerifyEvent {
  const step = `hosted ${event.step}` as VerifyStep;
  return event.event === 'problem'
    ? { ...event, step, file: `hosted/${event.file}` }
    : { ...event, step };
}
