// load: the shop's ordinary day, at a constant rate. Nothing fails, and everything is within the service level.

import { everywhere } from './lib/promises.js';
import { assertFacts, factsHold } from './lib/facts.js';
import { grew, share } from './lib/prometheus.js';
import { journey, phases } from './lib/phases.js';
import { ready } from './lib/ready.js';
import { run } from './lib/options.js';

export { shop, visit } from './lib/shop.js';

const PHASES = phases({ steady: 120 });
const SERVED = 'http_server_request_duration_seconds_count{service="gateway",route!="_unmatched"}';

const FACTS = {
  nothing_failed: {
    promise: 'answers 5xx as the gateway counts them, 0',
    query: ({ steady }) => grew(SERVED.replace('}', ',status=~"5.."}'), steady),
    holds: (failed) => failed === 0,
  },
  within_level: {
    promise: 'answered within 250 ms as the gateway measures, >= 99 %',
    query: ({ steady }) =>
      `100 * ${share('http_server_request_duration_seconds_bucket{service="gateway",route!="/api/auth/token",le="0.25"}', 'http_server_request_duration_seconds_count{service="gateway",route!="/api/auth/token"}', steady)}`,
    holds: (percent) => percent >= 99,
    unit: '%',
  },
  stays_local: {
    promise: 'picks that stayed in the zone of their caller, >= 90 %',
    query: ({ steady }) => `100 * ${share('lictor_picks_total{service="gateway",reason="local"}', 'lictor_picks_total{service="gateway"}', steady)}`,
    holds: (percent) => percent >= 90,
    unit: '%',
  },
  no_breaker_opened: {
    promise: 'breakers that opened, 0',
    query: ({ steady }) => grew('lictor_breaker_transitions_total{to="open"}', steady),
    holds: (opened) => opened === 0,
  },
};

export const options = run({
  scenarios: journey(PHASES),
  thresholds: {
    ...everywhere('steady'),
    ...factsHold(FACTS),
  },
});

export const setup = ready;

export function teardown(found) {
  assertFacts(FACTS, PHASES, found);
}
