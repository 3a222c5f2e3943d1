// The phases of a run, one after the other, and the scenarios that fill them.
//
// Arrivals come at a constant rate whatever the answers do (open model): a slow system is not asked less, and what could not be asked counts as dropped.

import { RATE, seconds } from './settings.js';

// One visitor signs in so often: the limit is 20 a minute for an address.
const VISIT_EVERY_S = 4;
// The last visit comes so long before its phase ends: none is still under way when what the next phase begins with strikes.
const VISIT_LASTS_S = 1;

// Phases by name and length, such as { baseline: 20, fault: 30, recovery: 30 }: where each begins and ends, in seconds.
export function phases(lengths) {
  let end = 0;
  return Object.fromEntries(
    Object.entries(lengths).map(([name, length]) => {
      const from = end;
      end += seconds(length);
      return [name, { from, to: end }];
    }),
  );
}

// The shop's journey through all phases, and visitors beside it; every sample carries its phase.
export function journey(phases, { rate = RATE, env = {} } = {}) {
  const scenarios = {};
  for (const [phase, { from, to }] of Object.entries(phases)) {
    const at = { startTime: `${from}s`, duration: `${to - from}s`, gracefulStop: '10s', tags: { phase }, env };
    scenarios[`shop_${phase}`] = { ...arrivals(rate), ...at, exec: 'shop' };
    scenarios[`visit_${phase}`] = {
      ...at,
      duration: `${to - from - VISIT_LASTS_S}s`,
      executor: 'constant-arrival-rate',
      exec: 'visit',
      rate: 1,
      timeUnit: `${VISIT_EVERY_S}s`,
      preAllocatedVUs: 4,
    };
  }
  return scenarios;
}

// How many visits a phase has; the first comes as it begins.
export function visits({ from, to }) {
  return Math.ceil((to - from - VISIT_LASTS_S) / VISIT_EVERY_S);
}

// So many a second. There are callers enough for answers that take a second each; more are made when that does not do.
export function arrivals(rate) {
  return {
    executor: 'constant-arrival-rate',
    rate,
    timeUnit: '1s',
    preAllocatedVUs: Math.max(10, Math.ceil(rate)),
    maxVUs: Math.max(20, Math.ceil(4 * rate)),
  };
}

// Something that is done once, when a phase begins.
export function once(phases, phase, exec, within = 120) {
  return {
    executor: 'per-vu-iterations',
    vus: 1,
    iterations: 1,
    startTime: `${phases[phase].from}s`,
    maxDuration: `${within}s`,
    exec,
    tags: { phase },
  };
}
