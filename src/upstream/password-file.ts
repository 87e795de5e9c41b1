import { ChangingFile } from './changing-file.ts';
import type { Credential, CredentialSource } from './credentials.ts';

/** A fixed user whose password is in a file; one trailing line break is not part of it. */
export class PasswordFileCredentials implements CredentialSource {
  readonly #username: string;
  readonly #file: ChangingFile<string>;

  constructor(username: string, path: string) {
    this.#username = username;
    this.#file = new ChangingFile(path, parsePassword);
  }

  async get(): Promise<Credential> {
    return { kind: 'basic', username: this.#username, password: await this.#file.read() };
  }

  forget(): void {
    this.#file.forget();
  }
}

function parsePassword(text: string): string {
  const password = text.replace(/\r?\n$/, '');
  if (password === '') throw new Error('it is empty');
  return password;
}
