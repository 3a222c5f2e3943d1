// Faults on demand, set and ended through Consul's KV store (`lictor/faults/SERVICE[/ZONE or INSTANCE]`), so that they work wherever the system runs.
//
// A stored fault names the moment of its end: it is over by itself, whatever becomes of this run.
// What a kind takes is in shared/service/src/faults/written.rs.

import { instances, put, remove } from './store.js';

const KINDS = ['latency', 'error', 'hang', 'drip', 'health', 'connections', 'database', 'down'];
export const SERVICES = ['users', 'orders', 'inventory', 'payments', 'recommendations'];
// A little longer than the phase, should the one that ends it come late.
const MARGIN_S = 10;

// Strikes `whom` (a service, SERVICE/ZONE or SERVICE/INSTANCE) for so many seconds. Whom nobody is called, and what is no kind, is an error: a fault that strikes nobody would prove everything.
export function strike(whom, fault, lasts) {
  const [service, place] = whom.split('/');
  if (!KINDS.includes(fault.kind)) throw new Error(`there is no fault ${fault.kind}; known: ${KINDS.join(', ')}`);
  if (!SERVICES.includes(service)) throw new Error(`there is no service ${service}; known: ${SERVICES.join(', ')}`);
  const there = instances(service);
  const meant = there.filter(({ id, zone }) => place === undefined || id === place || zone === place);
  if (meant.length === 0) {
    throw new Error(`${whom} is nobody; Consul knows ${there.map(({ id, zone }) => `${id} in ${zone}`).join(', ')}`);
  }
  put(`faults/${whom}`, [{ ...fault, until: Date.now() + 1000 * (lasts + MARGIN_S) }]);
}

// Ends what was set at `whom`; one that is not there is no mistake.
export function heal(whom) {
  remove(`faults/${whom}`);
}

export function everyService(place) {
  return SERVICES.map((service) => `${service}/${place}`);
}
