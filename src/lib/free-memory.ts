/**
 * Gives a buffer's memory back at once, where all of it is its own; it is empty from then on. For
 * buffers that come by the thousand and are done with: left to the collector, they make it run
 * again and again, and the process grow meanwhile.
 */
export function freeMemory({ buffer, length }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
}
