// Orders as their store has them, against those that were answered: one placed twice is seen, and so is one that was lost.

import { get, said } from './beside.js';
import { grew } from './prometheus.js';

const ANSWERED = 'http_server_request_duration_seconds_count{service="gateway",method="POST",route="/api/orders",status=~"201|202"}';

// How many there are in the store.
export function stored() {
  const stats = get('/api/orders/stats');
  if (stats.status !== 200) throw new Error(`the orders' statistics are ${said(stats)}`);
  return stats.json('total_orders');
}

// Each order of the journey has a key of its own, so as many are stored as were answered, whatever was sent again on the way. One whose client got an error instead would count as well.
export const placedOnce = {
  placed_once: {
    promise: 'orders in the store less those that the gateway answered with one, 0',
    query: ({ began, after, ordersBefore }) => `${stored() - ordersBefore} - ${grew(ANSWERED, { from: began, to: after })}`,
    holds: (difference) => difference === 0,
  },
};
