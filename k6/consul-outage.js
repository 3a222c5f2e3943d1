// consul-outage: Consul is killed and comes back. Traffic flows on what was last known; afterwards everybody is registered again.
// Needs `cargo stack k6 consul-outage`: no container can end another.

import { done, everywhere } from './lib/promises.js';
import { assertFacts, factsHold } from './lib/facts.js';
import { grew } from './lib/prometheus.js';
import { command, needsRunner } from './lib/runner.js';
import { stepsDone } from './lib/measures.js';
import { journey, once, phases } from './lib/phases.js';
import { ready } from './lib/ready.js';
import { run } from './lib/options.js';

export { shop, visit } from './lib/shop.js';

// After it answers again: views are confirmed, everybody is registered.
const FRESH_S = 5;
const REGISTERED_S = 15;
// What Consul itself needs to start and to elect a leader.
const STARTS_S = 5;

const PHASES = phases({ baseline: 20, fault: 40, recovery: 40 });

const FACTS = {
  outage_noticed: {
    promise: "the gateway's oldest view of a service at the end of the outage, >= half of it",
    query: ({ fault }) => `max(max_over_time(lictor_snapshot_age_seconds{service="gateway"}[${Math.ceil(fault.to - fault.from)}s] @ ${fault.to}))`,
    holds: (age) => age >= (PHASES.fault.to - PHASES.fault.from) / 2,
    unit: 's',
  },
  view_fresh: {
    promise: `the gateway's oldest view was confirmed again, <= ${FRESH_S + STARTS_S} s after Consul was started`,
    query: ({ recovery }) => {
      const age = 'lictor_snapshot_age_seconds{service="gateway"}';
      const confirmed = `((timestamp(${age}) - ${age}) >= ${recovery.from})`;
      return `max(min_over_time(${confirmed}[${Math.ceil(recovery.to - recovery.from)}s:1s] @ ${recovery.to})) - ${recovery.from}`;
    },
    holds: (after) => after <= FRESH_S + STARTS_S,
    unit: 's',
  },
  all_registered: {
    promise: `processes whose registration the agent does not confirm ${STARTS_S + REGISTERED_S} s after it was started, 0`,
    query: ({ recovery }) => `count(lictor_registration_state{service!=""} @ ${recovery.from + STARTS_S + REGISTERED_S} == 0) or vector(0)`,
    holds: (missing) => missing === 0,
  },
  no_breaker_opened: {
    promise: 'breakers that opened, 0',
    query: ({ fault, after }) => grew('lictor_breaker_transitions_total{to="open"}', { from: fault.from, to: after }),
    holds: (opened) => opened === 0,
  },
};

export const options = run({
  scenarios: {
    ...journey(PHASES),
    strike: once(PHASES, 'fault', 'killConsul'),
    heal: once(PHASES, 'recovery', 'startConsul'),
  },
  thresholds: {
    ...everywhere('baseline'),
    ...everywhere('fault'),
    ...everywhere('recovery'),
    ...done('killed'),
    ...done('started'),
    ...factsHold(FACTS),
  },
});

export function setup() {
  needsRunner('consul-outage');
  return ready();
}

export function killConsul() {
  command({ verb: 'kill', instance: 'consul' });
  stepsDone.add(1, { step: 'killed' });
}

export function startConsul() {
  command({ verb: 'consul_start', wipe: false });
  stepsDone.add(1, { step: 'started' });
}

export function teardown(found) {
  // After a run that was interrupted it may still be away; when it runs, starting it is refused, and that is well.
  try {
    command({ verb: 'consul_start', wipe: false });
  } catch (_) {
    // It runs.
  }
  assertFacts(FACTS, PHASES, found);
}
