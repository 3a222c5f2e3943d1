// Where the system is and how hard it is asked: the environment, with defaults that are compose's names.
// K6_VUS and K6_DURATION are not among these: k6 reads them itself and would discard the scenarios.

export const BASE_URL = text('BASE_URL', 'http://gateway:8080');
export const CONSUL_URL = text('CONSUL_URL', 'http://consul:8500');
export const PROMETHEUS_URL = text('PROMETHEUS_URL', 'http://prometheus:9090');
// Set by `cargo stack k6`: where the script asks for what no container can do to another.
export const RUNNER_URL = text('RUNNER_URL', '');

// A key with a quota of its own that this load does not reach.
export const API_KEY = text('API_KEY', '');
// A key with the shipped quota, for the scenario that means to reach it.
export const LIMITED_KEY = text('LIMITED_KEY', '');

// Journeys a second: enough calls to every upstream for a breaker to judge, little enough to share two cores with the system.
export const RATE = number('RATE', 100);
// Stretches every phase: 0.5 halves them.
export const SCALE = number('SCALE', 1);
export const TESTID = text('TESTID', `k6-${new Date().toISOString().slice(0, 19)}`);
// The zone that zone-outage takes away: the gateway's own, from which everything has to move.
export const ZONE = text('ZONE', 'a');

// The quota of LIMITED_KEY in the group `users` (gateway.toml): requests in so many seconds, and how many at once.
export const LIMIT = {
  requests: number('LIMIT_REQUESTS', 100),
  seconds: number('LIMIT_SECONDS', 60),
  burst: number('LIMIT_BURST', 100),
};

// `off`: nothing is asked of Prometheus, and the run says so.
export const FACTS = text('FACTS', 'on') !== 'off';
// How often Prometheus scrapes (prometheus.yml): what it knows of a moment may be that old.
export const SCRAPE_S = number('SCRAPE_S', 5);
// How long until it has scraped everybody after the run's last second.
export const SCRAPED_WITHIN = number('SCRAPED_WITHIN', 40);

// A length as this run has it; shorter than two seconds no phase means anything.
export function seconds(length) {
  return Math.max(2, Math.round(length * SCALE));
}

function text(name, otherwise) {
  const given = __ENV[name];
  return given === undefined || given === '' ? otherwise : given;
}

function number(name, otherwise) {
  const given = Number(text(name, otherwise));
  if (!Number.isFinite(given) || given <= 0) {
    throw new Error(`${name} = ${__ENV[name]}: must be a number above 0`);
  }
  return given;
}
