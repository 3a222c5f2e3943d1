// rolling-deploy: every instance of every service is drained, ended and started again, one after the other, under load. Nobody notices.
// Needs `cargo stack k6 rolling-deploy`: no container can restart another.

import { done, everywhere } from './lib/promises.js';
import { assertFacts, factsHold } from './lib/facts.js';
import { placedOnce } from './lib/orders.js';
import { grew } from './lib/prometheus.js';
import { SERVICES } from './lib/faults.js';
import { command, needsRunner } from './lib/runner.js';
import { stepsDone } from './lib/measures.js';
import { journey, once, phases } from './lib/phases.js';
import { ready } from './lib/ready.js';
import { run } from './lib/options.js';

export { shop, visit } from './lib/shop.js';

// Each drains for 3 s while the others learn of it.
const EACH_S = 6;
const INSTANCES = 10;
// Not stretched by SCALE, which would leave instances without their turn.
const ROUND = { from: 10, to: 10 + EACH_S * INSTANCES };
const PHASES = { ...phases({ baseline: 10 }), rollout: ROUND, recovery: { from: ROUND.to, to: ROUND.to + 15 } };

const FACTS = {
  all_new: {
    promise: 'processes of services that started during the rollout, all of them',
    query: ({ rollout }) =>
      `count(process_start_time_seconds{service!~"gateway|consul|",instance!=""} >= ${Math.floor(rollout.from)}) / count(process_start_time_seconds{service!~"gateway|consul|",instance!=""})`,
    holds: (share) => share === 1,
  },
  nothing_failed: {
    promise: 'answers 5xx as the gateway counts them, 0',
    query: ({ rollout, after }) => grew('http_server_request_duration_seconds_count{service="gateway",status=~"5.."}', { from: rollout.from, to: after }),
    holds: (failed) => failed === 0,
  },
  no_breaker_opened: {
    promise: "the gateway's breakers before whole services that opened, 0",
    query: ({ rollout, after }) => grew('lictor_breaker_transitions_total{service="gateway",to="open"}', { from: rollout.from, to: after }),
    holds: (opened) => opened === 0,
  },
  ...placedOnce,
};

export const options = run({
  scenarios: {
    ...journey(PHASES),
    rollout: once(PHASES, 'rollout', 'restartAll', 2 * EACH_S * INSTANCES),
  },
  thresholds: {
    ...everywhere('baseline'),
    // A cold instance's first answers are slower.
    ...everywhere('rollout', { p99: 500 }),
    ...everywhere('recovery'),
    'steps_done{step:restarted}': [`count>=${INSTANCES}`],
    ...done('all_restarted'),
    ...factsHold(FACTS),
  },
});

export function setup() {
  needsRunner('rolling-deploy');
  return ready();
}

export function restartAll() {
  const running = command({ verb: 'status' }).table;
  // Not the gateways, Consul, nor what looks on.
  const services = running.map(({ name }) => name).filter((name) => SERVICES.some((service) => name.startsWith(`${service}-`)));
  for (const instance of services) {
    command({ verb: 'restart', instance });
    stepsDone.add(1, { step: 'restarted' });
  }
  stepsDone.add(1, { step: 'all_restarted' });
}

export function teardown(found) {
  assertFacts(FACTS, PHASES, found);
}
