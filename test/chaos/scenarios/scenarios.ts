import { failingUpstream } from './failing-upstream.ts';
import { fanOut } from './fan-out.ts';
import { killDuringFill } from './kill-during-fill.ts';
import { pressure } from './pressure.ts';
import { pushes } from './pushes.ts';
import type { Scenario } from './scenario.ts';

/** The hard cases by the names under which they can be played. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  'fan-out': fanOut,
  'kill-during-fill': killDuringFill,
  'failing-upstream': failingUpstream,
  pressure,
  pushes,
};
