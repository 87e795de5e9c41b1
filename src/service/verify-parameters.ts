import { parseByteSize } from '../lib/byte-size.ts';
import { RegistryError } from '../oci/errors.ts';
import type { VerifyParameters } from '../registry/verify.ts';

/**
 * Reads what `baleen verify` and `POST /api/verify` are given: `repair` (false), and `rate`, bytes
 * a second as a number or a size such as `50MiB` (no limit).
 * @throws RegistryError REQUEST_INVALID
 */
export function verifyParameters(given: object): VerifyParameters {
  const { repair = false, rate, ...unknown } = given as Record<string, unknown>;
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw invalid(`there is no parameter ${JSON.stringify(name)}`);
  if (typeof repair !== 'boolean') throw invalid('repair has to be true or false');
  if (rate === undefined) return { repair, rate: Infinity };
  const bytes =
    typeof rate === 'string' || typeof rate === 'number' ? parseByteSize(String(rate)) : undefined;
  if (bytes === undefined || bytes === 0) throw invalid('rate has to be a size, such as 50MiB');
  return { repair, rate: bytes };
}

function invalid(message: string): RegistryError {
  return new RegistryError('REQUEST_INVALID', message);
}
