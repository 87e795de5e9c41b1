import { z } from 'zod';
import { glob } from './scalars.ts';

/** `hosted`: the repositories that live here. */
export const hostedSchema = z.strictObject({
  repositories: z.array(glob()).prefault([]),
});
