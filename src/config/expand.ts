import type { Environment } from './environment.ts';

const reference = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{/g;

/**
 * Replaces `${VAR}` and `${VAR:-default}` in a scalar of the file; `$${` stands for `${` itself.
 * What a variable holds is not looked into again. An empty variable counts as unset where there is
 * a default, as in a shell.
 * @returns the text, or what is wrong with it.
 */
export function expandVariables(
  text: string,
  env: Environment,
): { text: string } | { fault: string } {
  const faults: string[] = [];
  const expanded = text.replaceAll(reference, (match, name?: string, fallback?: string) => {
    if (match === '$${') return '${';
    if (name === undefined) {
      faults.push('a ${ that starts no ${VARIABLE}; write $${ for the characters themselves');
      return match;
    }
    const value = env[name];
    if (value !== undefined && (value !== '' || fallback === undefined)) return value;
    if (fallback === undefined) faults.push(`the environment variable ${name} is not set`);
    return fallback ?? match;
  });
  const [fault] = faults;
  return fault === undefined ? { text: expanded } : { fault };
}
