// cascade-dead-inventory: every instance of inventory closes its listeners and all connections; who calls is refused.

import { cascade } from './lib/cascade.js';

export { shop, visit } from './lib/shop.js';

const play = cascade({
  fault: { kind: 'down' },
  // Refused at once: the last good answer is as fast as the real one.
  itsReads: {},
});

export const options = play.options;
export const setup = play.setup;
export const strikeIt = play.strikeIt;
export const healIt = play.healIt;
export const teardown = play.teardown;
