// cascade-slow-inventory: inventory's database takes two seconds for every statement.

import { cascade } from './lib/cascade.js';

export { shop, visit } from './lib/shop.js';

const play = cascade({
  fault: { kind: 'database', ms: 2000 },
  // Until the breaker is open a look waits its whole 2 s; then it gets the last good answer at once.
  itsReads: { p99: 2500 },
  // A call is slow after 1 s, and reads of the same item share one call, so ten of them take a while; orders waits 120 ms for each of five.
  opensWithin: { gateway: 4, orders: 3 },
});

export const options = play.options;
export const setup = play.setup;
export const strikeIt = play.strikeIt;
export const healIt = play.healIt;
export const teardown = play.teardown;
