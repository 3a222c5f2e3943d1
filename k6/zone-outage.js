// zone-outage: a whole zone is gone, the gateway's own: every service of it closes its listeners. The other zone takes everything, and gives it back.

import { get, said } from './lib/beside.js';
import { done, everywhere, only, onlyInTheFirstSecond, recoversWithin } from './lib/promises.js';
import { assertFacts, factsHold } from './lib/facts.js';
import { everyService, heal, SERVICES, strike } from './lib/faults.js';
import { placedOnce } from './lib/orders.js';
import { grew, inForce, later, rate, share } from './lib/prometheus.js';
import { recovery, stepsDone } from './lib/measures.js';
import { journey, once, phases, visits } from './lib/phases.js';
import { ready, until } from './lib/ready.js';
import { run } from './lib/options.js';
import { SCALE, SCRAPE_S, ZONE } from './lib/settings.js';

export { shop, visit } from './lib/shop.js';

// Of all requests; each in the first second, until the last instance was refused once.
const MOST_ERRORS = 0.001;
// What goes to the zone after its loss is no more than so long of what went there before.
const SETTLED_S = 1;
// Shares are back so soon after the zone is (new instances rise slowly).
const BACK_S = 15;
// They are measured between two scrapes, of which the first is at that moment or as much as one interval later.
const SEEN_BACK = { from: BACK_S + SCRAPE_S, to: BACK_S + 3 * SCRAPE_S };

// How long before the loss its pace is taken from: enough scrapes that a late one does no harm.
const PACE_S = 3 * SCRAPE_S;

// SCALE shortens no phase below what is measured in it.
const atLeast = (length, seconds) => Math.max(length, seconds / SCALE);
const PHASES = phases({ baseline: atLeast(20, PACE_S + SCRAPE_S), fault: 30, recovery: atLeast(40, SEEN_BACK.to) });
// A sign-in that is under way when its instance goes is lost: it carries no key, so nobody may send it again. There is one at a time.
const LOST_SIGN_INS = 1 / visits(PHASES.fault);
const PICKS = 'lictor_picks_total{service="gateway"}';
const LOCAL = 'lictor_picks_total{service="gateway",reason="local"}';

const FACTS = {
  zone_was_down: {
    promise: `inventory in zone ${ZONE} was not there, 1`,
    query: ({ fault }) => inForce('inventory', 'down', fault),
    holds: (down) => down === 1,
  },
  shares_settled: {
    promise: `local picks after its loss, probes included, <= ${SETTLED_S} s of those before`,
    // What was picked between the last scrape and the loss is no part of it.
    query: ({ fault }) => {
      const pace = `sum(rate(${LOCAL}[${PACE_S}s] @ ${fault.from}))`;
      return `${grew(LOCAL, fault)} / ${pace} - (${fault.from} - max(timestamp(${LOCAL} @ ${fault.from})))`;
    },
    holds: (seconds) => seconds <= SETTLED_S,
    unit: 's',
  },
  ejected_left_alone: {
    promise: `attempts that met a closed listener once that was settled, <= ${SERVICES.length} a second: a probe for each`,
    query: ({ fault }) => rate('http_client_request_duration_seconds_count{service="gateway",error_type="connection_refused"}', later(fault, SETTLED_S)),
    holds: (attempts) => attempts <= SERVICES.length,
    unit: '/s',
  },
  shares_back: {
    promise: `local picks in the two scrapes from ${BACK_S} s (or one scrape, ${SCRAPE_S} s, later) after its return on, within 5 points of those before`,
    query: ({ baseline, recovery }) => {
      const back = { from: recovery.from + SEEN_BACK.from, to: recovery.from + SEEN_BACK.to };
      return `100 * (${share(LOCAL, PICKS, back)} - ${share(LOCAL, PICKS, baseline)})`;
    },
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
  ...placedOnce,
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
    ...only('fault', ['sign_in'], { errors: LOST_SIGN_INS }),
    ...onlyInTheFirstSecond('fault'),
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
      return health.status === 200 && health.json('status') === 'healthy' ? null : said(health);
    }, 60, 0.2),
  );
  stepsDone.add(1, { step: 'recovered' });
}

export function teardown(found) {
  everyService(ZONE).forEach(heal);
  assertFacts(FACTS, PHASES, found);
}
