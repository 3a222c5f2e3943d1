// retry-storm: half of what users is asked fails, while its breaker only observes (five failures in a row would open it and end the experiment).
//
// Retries would double the load of a service that is failing already; the budget lets 20 % of the requests and three a second be sent again.
// Against a gateway whose budget is off (`retries.budget`, see README.md) it must fail.

import { sleep } from 'k6';
import { done, everywhere, except, only, LEVEL_MS } from './lib/promises.js';
import { assertFacts, factsHold } from './lib/facts.js';
import { grew, inForce, share } from './lib/prometheus.js';
import { heal, strike } from './lib/faults.js';
import { put, remove } from './lib/store.js';
import { stepsDone } from './lib/measures.js';
import { journey, once, phases } from './lib/phases.js';
import { ready } from './lib/ready.js';
import { run } from './lib/options.js';

export { shop, visit } from './lib/shop.js';

// Its reads are neither shared nor remembered: what it does not answer is not answered.
const VICTIM = 'users';
// Routes with users in them.
const ITS_ROUTES = ['user', 'profile', 'dashboard', 'sign_in'];
const FAULT = { kind: 'error', status: 500, percent: 50 };

const BUDGET_SHARE = 0.2;
const BUDGET_FLOOR = 3;
// What was not spent in the last 10 s may be spent at once.
const BUDGET_WINDOW_S = 10;
// A budget of 20 % on uniform errors of 50 % gives 60.3 % on average.
const LEAST_SUCCESS = 0.58;

// Longer than any process needs to follow a change in the store.
const NOTICED_S = 2;

// Nothing is promised while it heals: some processes have heard of it, some have not.
const PHASES = phases({ baseline: 20, fault: 60, healing: NOTICED_S + 1, recovery: 20 });

// What clients asked that needs users, once each, and what became of it on the way to users.
const REQUESTS = 'http_server_request_duration_seconds_count{service="gateway",route=~"/api/(users|auth|dashboard).*"}';
const ATTEMPTS = `http_client_request_duration_seconds_count{service="gateway",upstream="${VICTIM}"}`;
const RETRIES = `lictor_retries_total{service="gateway",upstream="${VICTIM}"}`;

const FACTS = {
  fault_in_force: {
    promise: `${VICTIM} failed on purpose, 1`,
    query: ({ fault }) => inForce(VICTIM, FAULT.kind, fault),
    holds: (active) => active >= 1,
  },
  amplification: {
    promise: `attempts per request at ${VICTIM}, less the floor of ${BUDGET_FLOOR}/s, <= ${1 + BUDGET_SHARE}`,
    query: ({ fault }) => {
      const floor = BUDGET_FLOOR * (fault.to - fault.from + BUDGET_WINDOW_S);
      return `(${grew(ATTEMPTS, fault)} - ${floor}) / ${grew(REQUESTS, fault)}`;
    },
    holds: (times) => times > 0 && times <= 1 + BUDGET_SHARE,
    unit: 'x',
  },
  retries_spent: {
    promise: 'retries, > 0',
    query: ({ fault }) => grew(RETRIES, fault),
    holds: (retries) => retries > 0,
  },
  offered_as_counted: {
    promise: `requests that ${VICTIM} served, as many as the gateway attempted (5 %)`,
    // Two processes are not scraped at the same moment: from quiet to quiet they agree.
    query: ({ baseline, after }) => share(`http_server_request_duration_seconds_count{service="${VICTIM}"}`, ATTEMPTS, { from: baseline.from, to: after }),
    holds: (times) => times >= 0.95 && times <= 1.05,
    unit: 'x',
  },
};

export const options = run({
  scenarios: {
    ...journey(PHASES),
    strike: once(PHASES, 'fault', 'strikeIt'),
    heal: once(PHASES, 'healing', 'healIt'),
  },
  thresholds: {
    ...everywhere('baseline'),
    ...except('fault', ITS_ROUTES),
    ...only('fault', ['user'], { errors: 1 - LEAST_SUCCESS, p99: 4 * LEVEL_MS }),
    // Signing in is a POST without a key: it is sent once, half of it fails, and the few there are may all do.
    ...only('fault', ['sign_in'], { errors: 1, p99: 1500 }),
    // A part that is missing is told, and counts as an error. They come too seldom to tell 60 % from 58 %: without retries more than this would fail in most runs, not in all; the amplification and the reads of users are the promise.
    ...only('fault', ['profile', 'dashboard'], { errors: FAULT.percent / 100, p99: 1500 }),
    ...everywhere('recovery'),
    ...done('struck'),
    ...done('healed'),
    ...factsHold(FACTS),
  },
});

export function setup() {
  mend();
  return ready();
}

export function strikeIt() {
  put(`breakers/${VICTIM}`, { mode: 'observe' });
  strike(VICTIM, FAULT, PHASES.fault.to - PHASES.fault.from);
  stepsDone.add(1, { step: 'struck' });
}

export function healIt() {
  heal(VICTIM);
  // What it observed would count once it decides again, and it saw enough to stay open for a minute: switched off and on it begins afresh.
  put(`breakers/${VICTIM}`, { mode: 'disabled' });
  sleep(NOTICED_S);
  remove(`breakers/${VICTIM}`);
  stepsDone.add(1, { step: 'healed' });
}

export function teardown(found) {
  mend();
  assertFacts(FACTS, PHASES, found);
}

function mend() {
  heal(VICTIM);
  remove(`breakers/${VICTIM}`);
}
