// rate-limit: one key asks five times what it may, beside the shop. It gets what it was promised, to the request; the others do not notice.

import { fail } from 'k6';
import { get, said } from './lib/beside.js';
import { everywhere, only } from './lib/promises.js';
import { assertFacts, factsHold } from './lib/facts.js';
import { grew } from './lib/prometheus.js';
import { ask, keyed } from './lib/shop.js';
import { arrivals, journey, phases } from './lib/phases.js';
import { ready } from './lib/ready.js';
import { run } from './lib/options.js';
import { LIMIT, LIMITED_KEY, RATE } from './lib/settings.js';
import { Counter } from 'k6/metrics';

export { shop, visit } from './lib/shop.js';

const PATH = '/api/users?limit=1';
const ALLOWED = LIMIT.requests / LIMIT.seconds;
const PHASES = phases({ calm: 10, greedy: 40 });
const GREEDY_S = PHASES.greedy.to - PHASES.greedy.from;
// Enough that the whole burst is used up in the first quarter of the phase, and then far beyond what comes back.
const ASKED = Math.ceil(Math.max(5 * ALLOWED, (4 * LIMIT.burst) / GREEDY_S));
// Of a burst that is whole at the beginning. The last cells come back after the last request; requests on the edge of the phase count to either side.
const MOST = LIMIT.burst + ALLOWED * GREEDY_S + 1;
const LEAST = LIMIT.burst + ALLOWED * GREEDY_S - Math.max(2, 0.1 * ALLOWED);

const admitted = new Counter('admitted');
const refusedRightly = new Counter('refused_rightly');

const FACTS = {
  refusals_counted: {
    promise: `refusals that the gateway counted for the group, >= ${Math.floor(ASKED * GREEDY_S - MOST)}`,
    query: ({ greedy, after }) =>
      grew('lictor_rate_limit_decisions_total{service="gateway",group="users",decision="refused"}', { from: greedy.from, to: after }),
    holds: (refused) => refused >= ASKED * GREEDY_S - MOST - 1,
  },
  users_spared: {
    promise: "answers 429 or 5xx of users itself, 0",
    query: ({ greedy, after }) => grew('http_server_request_duration_seconds_count{service="users",status=~"429|5.."}', { from: greedy.from, to: after }),
    holds: (failed) => failed === 0,
  },
};

export const options = run({
  scenarios: {
    ...journey(PHASES, { rate: Math.min(RATE, 50) }),
    greedy: {
      ...arrivals(ASKED),
      startTime: `${PHASES.greedy.from}s`,
      duration: `${GREEDY_S}s`,
      exec: 'greedy',
      tags: { phase: 'greedy' },
      env: { TOLERATED: '429' },
    },
  },
  thresholds: {
    ...everywhere('calm'),
    ...everywhere('greedy'),
    ...only('greedy', ['greedy'], { p99: 50 }),
    admitted: [`count>=${LEAST}`, `count<=${MOST}`],
    // Told when to come back, and refused beyond what the quota gives.
    refused_rightly: [`count>=${Math.floor(ASKED * GREEDY_S - MOST)}`],
    'shed_share{phase:greedy,route:greedy}': ['rate>0'],
    'shed_share{phase:greedy,route:user}': ['rate==0'],
    ...factsHold(FACTS),
  },
});

// The burst must be whole: who used the key a moment ago waits.
export function setup() {
  if (!LIMITED_KEY) fail('LIMITED_KEY is not set: this scenario needs a key with the quota that it means to reach');
  const look = get(PATH, LIMITED_KEY);
  const remaining = Number(look.headers['Ratelimit-Remaining']);
  const limit = Number(look.headers['Ratelimit-Limit']);
  if (look.status !== 200 || limit !== LIMIT.burst) {
    fail(`a limit of ${limit} where LIMIT_BURST is ${LIMIT.burst}: name the quota of LIMITED_KEY (${said(look)})`);
  }
  const missing = LIMIT.burst - remaining;
  // The calm phase gives back some of it.
  const wait = missing / ALLOWED - (PHASES.calm.to - PHASES.calm.from);
  if (wait > 0) fail(`the key was used a moment ago: ${missing} of ${LIMIT.burst} are missing; try again in ${Math.ceil(wait)} s`);
  return ready();
}

export function greedy() {
  const answer = ask('greedy', 'GET', PATH, { headers: keyed(LIMITED_KEY) });
  if (answer.status === 200) admitted.add(1);
  if (answer.status === 429 && Number(answer.headers['Retry-After']) > 0) refusedRightly.add(1);
}

export function teardown(found) {
  assertFacts(FACTS, PHASES, found);
}
