import { z } from 'zod';
import { accessActions } from './auth-config.ts';
import { glob, text } from './scalars.ts';

/** picomatch would let through whatever does not match: the opposite of what its author means. */
const repositories = z
  .array(
    glob().refine((pattern) => !pattern.startsWith('!'), {
      error: 'rules only allow: leave a repository out instead of excluding it',
    }),
  )
  .min(1, 'must not be empty: "**" is every repository');

const actions = z
  .array(z.enum(accessActions, { error: `expected one of ${accessActions.join(', ')}` }))
  .min(1, 'must not be empty');

/** `access`: who may do what. */
export const accessSchema = z.array(
  z
    .strictObject({
      accounts: z.array(text()).prefault([]),
      groups: z.array(text()).prefault([]),
      repositories,
      actions,
    })
    .refine(({ accounts, groups }) => accounts.length + groups.length > 0, {
      error: 'is about nobody: give it accounts or groups',
    }),
);
