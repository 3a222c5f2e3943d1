// What all scenarios have in common.

import { TESTID } from './settings.js';
import { always } from './promises.js';

export function run({ scenarios, thresholds }) {
  return {
    scenarios,
    thresholds: { ...always, ...thresholds },
    // Chosen by the dashboards: one run's series beside another's.
    tags: { testid: TESTID },
    // A cold system may still be registering; both ends wait for scrapes (`ready.js`, `facts.js`).
    setupTimeout: '150s',
    teardownTimeout: '180s',
    summaryTrendStats: ['med', 'p(95)', 'p(99)', 'max', 'count'],
  };
}
