import type { Credential } from './credentials.ts';

const host = /^\d{12}\.dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|on\.aws)$/;

/**
 * Whether Basic goes out before it is asked for. A private ECR answers only that way; it is told
 * by its host, or by the user name `AWS` that it gives out, where a name of one's own points to it.
 */
export function isEcr(hostname: string, credential: Credential): boolean {
  return host.test(hostname) || (credential.kind === 'basic' && credential.username === 'AWS');
}
