// zone-outage: a whole zone is gone, the gateway's own: every service of it closes its listeners. The other zone takes everything, and gives it back.

import { done, everywhere, recoversWithin } from './lib/promises.js';
import { assertFacts, factsHold } from './lib/facts.js';
import { everyService, heal, strike } from './lib/faults.js';
import { grew, inForce, later, share } from './lib/prometheus.js';
import { recovery, stepsDone } from './lib/measures.js';
import { journey, once, phases } from './lib/phases.js';
import { get, ready, until } from './lib/ready.js';
import { run } from './lib/options.js';
import { ZONE } from './lib/settings.js';

export { shop, visit } from './lib/shop.js';

// Of requests that may be sent again; all in the first second, until the last instance was refused once.
const MOST_ERRORS = 0.001;
// Shares are back so soon after the zone is (new instances rise slowly).
const BACK_S = 15;

const PHASES = phases({ baseline: 20, fault: 30, recovery: 40 });
const PICKS = 'lictor_picks_total{service="gateway"}';
const LOCAL = 'lictor_picks_total{service="gateway",reason="local"}';

const FACTS = {
  zone_was_down: {
    promise: `inventory in zone ${ZONE} was not there, 1`,
    query: ({ fault }) => inForce('inventory', 'down', fault),
    holds: (down) => down === 1,
  },
  shares_settled: {
    promise: 'picks that left the zone once its loss has settled (1 s), >= 95 %',
    query: ({ fault }) => {
      // A second for the way of the fault through Consul, one for the shares.
      const settled = later(fault, 2);
      return `100 * (1 - ${share(LOCAL, PICKS, settled)})`;
    },
    holds: (percent) => percent >= 95,
    unit: '%',
  },
  shares_back: {
    promise: `local picks from ${BACK_S} s after its return on, within 5 points of those before`,
    query: ({ baseline, end }) => `100 * (${share(LOCAL, PICKS, { from: end - 10, to: end })} - ${share(LOCAL, PICKS, baseline)})`,
    holds: (points) => points >= -5,
    unit: 'points',
  },
  no_service_breaker_opened: {
    promise: "the gateway's breakers before whole services that opened, 0",
    query: ({ fault, after }) => grew('lictor_breaker_transitions_total{service="gateway",to="open"}', { from: fault.from, to: after }),
    holds: (opened) => opened === 0,
  },
  nobody_ejected: {
    promise: 'instances that are still ejected at the end, 0',
    query: () => 'sum(lictor_ejected_endpoints{service="gateway"})',
    holds: (ejected) => ejected === 0,
  },
};

export const options = run({
  scenarios: {
    ...journey(PHASES),
    strike: once(PHASES, 'fault', 'strikeZone'),
    heal: once(PHASES, 'recovery', 'healZone'),
  },
  thresholds: {
    ...everywhere('baseline'),
    ...everywhere('fault', { errors: MOST_ERRORS }),
    ...everywhere('recovery'),
    'errors{phase:fault}': [`rate<=${MOST_ERRORS}`],
    ...recoversWithin(),
    ...done('struck'),
    ...factsHold(FACTS),
  },
});

export function setup() {
  everyService(ZONE).forEach(heal);
  return ready();
}

export function strikeZone() {
  const lasts = PHASES.fault.to - PHASES.fault.from;
  everyService(ZONE).forEach((whom) => strike(whom, { kind: 'down' }, lasts));
  stepsDone.add(1, { step: 'struck' });
}

export function healZone() {
  everyService(ZONE).forEach(heal);
  recovery.add(
    until('every instance to be healthy', () => {
      const health = get('/api/health');
      return health.status === 200 && health.json('status') === 'healthy' ? null : `${health.status} ${health.body}`;
    }, 60, 0.2),
  );
  stepsDone.add(1, { step: 'recovered' });
}

export function teardown({ began }) {
  everyService(ZONE).forEach(heal);
  assertFacts(FACTS, PHASES, began);
}
