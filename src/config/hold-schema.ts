import { z } from 'zod';
import { positiveGlob, text } from './scalars.ts';

/** `hold`: images that are held back until somebody has said that they are good. */
export const holdSchema = z.strictObject({
  repositories: z.array(positiveGlob()).prefault([]),
  on_unknown: z.enum(['deny', 'allow'], { error: 'expected deny or allow' }).prefault('deny'),
  message: text().max(500, 'is too long').prefault('this image is held back until it is scanned'),
  except: z.strictObject({ accounts: z.array(text()).prefault([]) }).prefault({}),
});
