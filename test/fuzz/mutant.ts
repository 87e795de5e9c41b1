import type { Random } from '../support/random.ts';

/** What parsers stumble over. */
const pieces = Array.from(
  '"\\\'`,;:=-_./*@#%&?![]{}()<>|~^$+ \t\r\n\0\x7f\xa0\u2028\ufeff\ud800é鯨',
).concat(
  String.raw`null true NaN -1 0 1e999 99999999999999999999 0x10 1.5 {} [] __proto__ constructor &a *a
    toString ../ .. // %2f %00 --- \u0000 sha256: bytes //evil.example/`.split(/\s+/),
  ['${', '${X:-', '$${', '<<: *a', '&a ', '!!binary ', '? ', '---\n', '- '],
);

/** A text like the sample, damaged in some places. */
export function mutantOf(sample: string, random: Random): string {
  let text = sample;
  for (let times = random.between(0, 6); times > 0; times -= 1) text = damaged(text, random);
  return text;
}

function damaged(text: string, random: Random): string {
  const at = random.between(0, text.length);
  const end = Math.min(text.length, at + random.between(1, 12));
  const [before, some, after] = [text.slice(0, at), text.slice(at, end), text.slice(end)];
  const piece = random.pick(pieces);
  switch (random.between(0, 6)) {
    case 0:
      return before + after;
    case 1:
      return before + some + some + after;
    case 2:
      return before + piece + some + after;
    case 3:
      return before + piece + after;
    case 4:
      return before;
    case 5:
      // Long enough to show a pattern that takes far too long for it.
      return random.chance(0.05) ? before + (some + piece).repeat(3_000) + after : text;
    default:
      return before + String.fromCharCode(random.between(0, 0xff)) + after;
  }
}
