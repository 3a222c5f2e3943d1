// The cascade: inventory breaks, orders needs it for every order, the gateway for every look at the shelves.
//
// Orders are taken from the last known stock and settled afterwards, reads get the last good answer, everything else does not notice.
// Two scenarios differ in what inventory suffers, and in how soon that can be known.

import { get, said } from './beside.js';
import { done, everywhere, except, only, ORDER_MS, RECOVERY_S, recoversWithin } from './promises.js';
import { assertFacts, factsHold } from './facts.js';
import { firstTransition, inForce, lastTransition, later, rate } from './prometheus.js';
import { heal, strike } from './faults.js';
import { placedOnce } from './orders.js';
import { recovery, stepsDone } from './measures.js';
import { journey, once, phases } from './phases.js';
import { ready, until } from './ready.js';
import { run } from './options.js';

const VICTIM = 'inventory';
const ITS_ROUTES = ['browse', 'stock'];
// How long it is looked for; the promise is less.
const LOOKED_FOR_S = 60;

// A scenario's exports. `opensWithin` is from the fault's setting, its way through Consul included, for the gateway and for orders; none where it is ejection that helps.
export function cascade({ fault, itsReads, opensWithin }) {
  const played = phases({ baseline: 20, fault: 30, recovery: 30 });
  const lasts = played.fault.to - played.fault.from;
  const helped = (caller) => (opensWithin === undefined ? ejected(caller) : opened(caller, opensWithin[caller]));

  const facts = {
    fault_in_force: {
      promise: `${VICTIM} suffered ${fault.kind}, 1`,
      query: ({ fault: during }) => inForce(VICTIM, fault.kind, during),
      holds: (active) => active >= 1,
    },
    ...helped('gateway'),
    ...helped('orders'),
    fails_fast: {
      promise: `attempts at ${VICTIM} a second, <= half of those before the fault`,
      query: ({ baseline, fault: during }) => {
        const attempts = `lictor_picks_total{upstream="${VICTIM}",service=~"gateway|orders"}`;
        return `${rate(attempts, later(during))} / ${rate(attempts, baseline)}`;
      },
      holds: (times) => times <= 0.5,
    },
    breakers_closed: {
      promise: `breakers before ${VICTIM} that are not closed at the end, 0`,
      query: () => `sum(lictor_breaker_state{upstream="${VICTIM}",service=~"gateway|orders"})`,
      holds: (state) => state === 0,
    },
    closed_in_time: {
      promise: `the gateway's breaker closed, <= ${RECOVERY_S} s after the fault's end`,
      query: ({ recovery: healed }) => lastTransition('gateway', VICTIM, healed.from),
      // One that never moved last moved long before; that is well only where ejection comes first.
      holds: (after) => after <= RECOVERY_S && (after >= 0 || opensWithin === undefined),
      unit: 's',
    },
    orders_settled: {
      promise: 'orders that still wait for inventory at the end, 0',
      query: () => 'max(lictor_orders_unsettled{status="pending_inventory_check"}) or vector(0)',
      holds: (waiting) => waiting === 0,
    },
    ...placedOnce,
  };

  return {
    options: run({
      scenarios: {
        ...journey(played),
        strike: once(played, 'fault', 'strikeIt'),
        heal: once(played, 'recovery', 'healIt', LOOKED_FOR_S + 10),
      },
      thresholds: {
        ...everywhere('baseline'),
        ...except('fault', [...ITS_ROUTES, 'order', 'payment']),
        ...only('fault', ['order'], { p99: ORDER_MS }),
        ...only('fault', ITS_ROUTES, itsReads),
        // Looked at after orders that inventory confirmed, of which there may be none.
        ...only('fault', ['payment'], { rare: true }),
        ...everywhere('recovery'),
        // The protection was needed: without it this scenario proves nothing.
        'fallback_share{phase:fault,route:order}': ['rate>=0.5'],
        'fallback_share{phase:fault,route:stock}': ['rate>=0.5'],
        // And only then; an order that waited 120 ms on a busy machine is one of those.
        'fallback_share{phase:baseline}': ['rate<=0.005'],
        ...recoversWithin(),
        ...done('struck'),
        ...factsHold(facts),
      },
    }),
    setup() {
      heal(VICTIM);
      return ready();
    },
    strikeIt() {
      strike(VICTIM, fault, lasts);
      stepsDone.add(1, { step: 'struck' });
    },
    healIt() {
      heal(VICTIM);
      recovery.add(until('nobody to notice any more', unnoticed, LOOKED_FOR_S, 0.2));
      stepsDone.add(1, { step: 'recovered' });
    },
    teardown(found) {
      heal(VICTIM);
      assertFacts(facts, played, found);
    },
  };
}

function opened(caller, within) {
  return {
    [`${caller}_breaker_opened`]: {
      promise: `breaker of ${caller} before ${VICTIM} opened, <= ${within} s after the fault`,
      query: ({ fault }) => firstTransition(caller, VICTIM, fault),
      holds: (after) => after <= within,
      unit: 's',
    },
  };
}

// Where connections are refused, each instance is out after its first refusal, and then there is nobody left whose failures the service's breaker could count.
function ejected(caller) {
  return {
    [`${caller}_ejected_all`]: {
      promise: `instances of ${VICTIM} that ${caller} has ejected, all of them (100 %)`,
      query: ({ fault: { from, to } }) =>
        `100 * max(max_over_time(lictor_ejected_endpoints{service="${caller}",upstream="${VICTIM}"}[${Math.ceil(to - from)}s] @ ${to})) / count(up{service="${VICTIM}"} @ ${from})`,
      holds: (percent) => percent >= 100,
      unit: '%',
    },
  };
}

// Whether inventory answers for itself, and no order waits for it.
function unnoticed() {
  const item = get('/api/inventory/items/LAMP-OIL');
  if (item.status !== 200 || item.headers['X-Gateway-Fallback'] !== undefined) {
    return `an item is ${item.status}, ${item.headers['X-Gateway-Fallback']}`;
  }
  const stats = get('/api/orders/stats');
  if (stats.status !== 200) return `the orders' statistics are ${said(stats)}`;
  const waiting = stats.json('by_status').pending_inventory_check;
  return waiting === undefined || waiting.orders === 0 ? null : `${waiting.orders} orders wait`;
}
