import { exitCodes } from './context.ts';

/**
 * Prints to a standard stream. Whoever reads it may leave (`| head`): what the command would still do is
 * wanted by nobody then, and it ends without a word, as others do by SIGPIPE.
 */
export function printTo(stream: NodeJS.WriteStream): (text: string) => void {
  let isWatched = false;
  return (text) => {
    // Not before something is printed: who writes to it in another way has ways of their own.
    if (!isWatched) stream.once('error', end);
    isWatched = true;
    stream.write(text);
  };
}

function end(error: NodeJS.ErrnoException): never {
  if (error.code !== 'EPIPE')
    process.stderr.write(`baleen: it cannot be printed: ${error.message}\n`);
  process.exit(exitCodes.failure);
}
