// Promises as thresholds: per phase and route, what share may fail and how long answers may take.
//
// A promise that was tried on nothing counts as broken, so each asks for requests too.

import { ROUTES } from './shop.js';

// The service level (observability/prometheus/rules): 99 % of answers within this.
export const LEVEL_MS = 250;
// Orders while inventory is away are answered from the last known stock: 120 ms of waiting and two writes.
export const ORDER_MS = 200;
// argon2 takes 100 ms and runs one at a time, so nothing faster is promised of signing in, in whatever phase.
const SIGN_IN_MS = 2000;
export const RECOVERY_S = 10;

// All routes of the journey in a phase.
export function everywhere(phase, terms) {
  return only(phase, ROUTES, terms);
}

export function except(phase, routes, terms) {
  return only(phase, ROUTES.filter((route) => !routes.includes(route)), terms);
}

// These routes in a phase: `errors` is a share, 0 unless said; `p99` in milliseconds; a `rare` route may have had no request at all.
export function only(phase, routes, { errors = 0, p99 = LEVEL_MS, rare = false } = {}) {
  const thresholds = {};
  for (const route of routes) {
    const where = `{phase:${phase},route:${route}}`;
    if (!rare) thresholds[`http_reqs${where}`] = ['count>0'];
    thresholds[`errors${where}`] = [`rate<=${errors}`];
    thresholds[`http_req_duration${where}`] = [`p(99)<=${route === 'sign_in' ? Math.max(p99, SIGN_IN_MS) : p99}`];
  }
  return thresholds;
}

// Nothing in a phase fails after its first second, on whatever route.
export function onlyInTheFirstSecond(phase) {
  return { [`errors{phase:${phase},second:later}`]: ['rate==0'] };
}

// What holds for every run: the generator kept up, so that what was measured is the system.
export const always = {
  dropped_iterations: ['count==0'],
};

// The system is as before, so long after the fault at most.
export function recoversWithin(seconds = RECOVERY_S) {
  return { recovery_seconds: [`max<=${seconds}`], ...done('recovered') };
}

// What a scenario does beside asking was done, so many times.
export function done(step, times = 1) {
  return { [`steps_done{step:${step}}`]: [`count==${times}`] };
}
