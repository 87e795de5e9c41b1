import { HtpasswdFault } from '../access/htpasswd-file.ts';
import { isRegistryError } from '../oci/errors.ts';
import { CertificateError } from '../service/certificate.ts';
import { ProcessFailure } from '../service/process-failures.ts';

/** What the system's error codes mean to someone who only wanted to start a registry. */
const hints: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'the address is in use: is another Baleen or registry running? (--listen, operations.listen)',
  EACCES: 'permission denied: check the owner of the data directory, or the port',
  EPERM: 'the system does not permit it',
  EROFS: 'the file system is read-only: storage.directory has to be writable',
  // Node says so, too, when it makes several folders at once on a read-only file system.
  ENOENT:
    'no such file, or a folder that cannot be made: is the place writable? (storage.directory, --data)',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of the path is a file, not a folder (storage.directory, --data)',
  EEXIST: 'a file is in the way of a folder (storage.directory, --data)',
  EADDRNOTAVAIL: 'this machine does not have the address (--listen)',
  ENOTFOUND: 'the host name cannot be resolved (--listen)',
};

/** One line that says what kept the server from starting, or ended it, and what to do. */
export function explainStartFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  const hint = code === undefined ? undefined : hints[code];
  if (hint !== undefined) return `${error.message}\n  ${hint}`;
  const isExplained =
    isRegistryError(error) ||
    error instanceof ProcessFailure ||
    error instanceof CertificateError ||
    error instanceof HtpasswdFault;
  return isExplained ? error.message : (error.stack ?? error.message);
}
