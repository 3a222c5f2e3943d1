// spike: five times the visitors at once, and gone again. What is too much is turned away, with a word when to come back; what is not is answered; afterwards all is as before.

import { everywhere } from './lib/promises.js';
import { assertFacts, factsHold } from './lib/facts.js';
import { grew } from './lib/prometheus.js';
import { journey, phases } from './lib/phases.js';
import { ready } from './lib/ready.js';
import { run } from './lib/options.js';
import { RATE } from './lib/settings.js';

export { shop, visit } from './lib/shop.js';

const TIMES = 5;
// Of the journey's own routes; the last goes first: low priority is turned away at 80 %, normal at 90 %.
const MOST_SHED = 0.2;

const PHASES = phases({ baseline: 20, spike: 20, recovery: 20 });
const { spike, ...CALM } = PHASES;

const FACTS = {
  spike_arrived: {
    promise: `requests at the gateway in the spike, >= ${TIMES - 1} times those of as long before`,
    query: ({ baseline, spike }) => {
      const served = 'http_server_request_duration_seconds_count{service="gateway"}';
      return `${grew(served, spike)} / ${grew(served, baseline)}`;
    },
    holds: (times) => times >= TIMES - 1,
  },
  // A refusal is a 503; whether it said when to come back only the client knows, to whom one that did not is an error.
  nothing_failed: {
    promise: 'answers 500, 502 and 504 as the gateway counts them, 0',
    query: ({ baseline, after }) =>
      grew('http_server_request_duration_seconds_count{service="gateway",status=~"500|502|504"}', { from: baseline.from, to: after }),
    holds: (failed) => failed === 0,
  },
  nobody_held: {
    promise: 'requests that still hold a place in the gateway, <= 50',
    query: () => 'sum(lictor_gateway_in_flight)',
    holds: (held) => held <= 50,
  },
};

export const options = run({
  scenarios: {
    ...journey(CALM),
    ...journey({ spike }, { rate: TIMES * RATE, env: { TOLERATED: '429,503' } }),
  },
  thresholds: {
    ...everywhere('baseline'),
    // Late is not wrong while five times as many ask, nor is a refusal that says when to come back.
    ...everywhere('spike', { p99: 2000 }),
    ...everywhere('recovery'),
    'shed_share{phase:spike}': [`rate<=${MOST_SHED}`],
    ...factsHold(FACTS),
  },
});

export const setup = ready;

export function teardown(found) {
  assertFacts(FACTS, PHASES, found);
}
