/*
 * What a command prints may come from a registry, a bundle or a list that somebody else wrote. A terminal
 * takes some characters for orders (ECMA-48): such a text could move the cursor and write over what is
 * true, set the title, or turn the direction of reading. None of them is ever passed on.
 */

/** A text on one line. */
export function printable(text: string): string {
  return text.replaceAll(unprintable, '\u{fffd}');
}

/** The same for a text of several lines. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
