// smoke: a few requests of every route, one after the other. Is it there, does it work, is it seen?

import { everywhere } from './lib/promises.js';
import { assertFacts, factsHold } from './lib/facts.js';
import { grew } from './lib/prometheus.js';
import { journey, phases } from './lib/phases.js';
import { ready } from './lib/ready.js';
import { run } from './lib/options.js';

export { shop, visit } from './lib/shop.js';

// Little, but every route of the journey comes by.
const RATE = 10;
const PHASES = phases({ calm: 20 });

const FACTS = {
  requests_counted: {
    promise: 'the gateway counted the requests, > 0',
    query: ({ calm }) => grew('http_server_request_duration_seconds_count{service="gateway"}', calm),
    holds: (requests) => requests > 0,
  },
  nothing_failed: {
    promise: 'answers 5xx as the gateway counts them, 0',
    query: ({ calm }) => grew('http_server_request_duration_seconds_count{service="gateway",status=~"5.."}', calm),
    holds: (failed) => failed === 0,
  },
  everybody_scraped: {
    promise: 'services with an instance that Prometheus scrapes, 5 and the gateway',
    query: () => 'count(count by (service) (lictor_build_info))',
    holds: (services) => services >= 6,
  },
};

export const options = run({
  scenarios: journey(PHASES, { rate: RATE }),
  thresholds: {
    ...everywhere('calm'),
    ...factsHold(FACTS),
  },
});

export const setup = ready;

export function teardown(found) {
  assertFacts(FACTS, PHASES, found);
}
