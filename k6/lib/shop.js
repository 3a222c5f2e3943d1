// The shop's journey: what people do, in proportion, one request of it for each arrival; an order is followed by a look at its payment.
//
// It is the journey of `cargo stack load` (tests/stack/src/load/journey.rs), with orders.
// Signing in is a visit of its own, at its own slow rate: argon2 is dear, and the limit on it is per address.

import http from 'k6/http';
import exec from 'k6/execution';
import { SharedArray } from 'k6/data';
import { API_KEY, BASE_URL } from './settings.js';
import { hex, newTrace } from './trace.js';
import { errors, fallbackShare, shedShare } from './measures.js';

// Requests of each route in a hundred.
const MIX = {
  browse: 28,
  stock: 15,
  user: 14,
  one_order: 14,
  profile: 10,
  order: 8,
  recommendation: 7,
  dashboard: 4,
};
export const ROUTES = [...Object.keys(MIX), 'payment', 'sign_in'];

const DECK = new SharedArray('deck', () => shuffled(MIX));
const ITEMS = new SharedArray('items', () => JSON.parse(open('./data/items.json')));
const CUSTOMERS = new SharedArray('customers', () => JSON.parse(open('./data/customers.json')));

// Failing requests that one VU prints: the first say more than the last, and VUs share no count that could bound the whole run.
const TOLD = 3;
let told = 0;

// One arrival. `shop` is what `ready` found.
export function shop({ shop: { people, orders } }) {
  const number = exec.scenario.iterationInTest;
  const one = (list) => list[Math.floor(number / 7) % list.length];
  const route = DECK[number % DECK.length];
  switch (route) {
    case 'order':
      return order(one(ITEMS));
    case 'browse':
      return get(route, '/api/inventory/items');
    case 'stock':
      return get(route, `/api/inventory/items/${one(ITEMS)}`);
    case 'user':
      return get(route, `/api/users/${one(people)}`);
    case 'one_order':
      return get(route, `/api/orders/${one(orders)}`);
    case 'profile':
      return get(route, `/api/users/${one(people)}/profile`);
    case 'recommendation':
      return get(route, `/api/recommendations/${one(people)}`);
    default:
      return get(route, '/api/dashboard');
  }
}

// Somebody signs in, orders, and looks at what they ordered, with the token that they were given.
export function visit() {
  const customer = CUSTOMERS[exec.scenario.iterationInTest % CUSTOMERS.length];
  const signedIn = ask('sign_in', 'POST', '/api/auth/token', { body: customer, headers: {} });
  if (signedIn.status !== 200) return;
  const headers = { Authorization: `Bearer ${signedIn.json('access_token')}` };
  const ordered = order(ITEMS[0], headers);
  if (ordered.status === 201 || ordered.status === 202) {
    ask('one_order', 'GET', `/api/orders/${ordered.json('id')}`, { headers });
  }
}

function get(route, path) {
  return ask(route, 'GET', path);
}

// Each order has a buyer and a key of its own: sent twice it is still one order.
export function order(sku, headers = keyed(API_KEY)) {
  const buyer = `usr_${hex(4)}-${hex(2)}-4${hex(2).slice(1)}-8${hex(2).slice(1)}-${hex(6)}`;
  const ordered = ask('order', 'POST', '/api/orders', {
    body: { user_id: buyer, items: [{ sku, quantity: 1 }] },
    headers: { ...headers, 'Idempotency-Key': buyer },
    expected: [201, 202],
  });
  if (ordered.status === 201 && API_KEY) {
    ask('payment', 'GET', `/api/payments/${ordered.json('id')}`);
  }
  return ordered;
}

// One request, traced, tagged and judged. Statuses beside 200 that are meant are declared; a scenario may declare more, in its `env`.
export function ask(route, method, path, { body, headers = keyed(API_KEY), expected = [200] } = {}) {
  const trace = newTrace();
  const declared = [...expected, ...tolerated()];
  const response = http.request(method, BASE_URL + path, body === undefined ? null : JSON.stringify(body), {
    headers: { ...headers, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), traceparent: trace.traceparent },
    tags: { route, name: route },
    timeout: '10s',
    responseCallback: http.expectedStatuses(...declared),
  });
  judge(route, response, declared, trace);
  return response;
}

function judge(route, response, declared, trace) {
  const partial = response.headers['X-Gateway-Complete'] === 'false';
  const refused = response.status === 429 || response.status === 503;
  const toldWhen = Number(response.headers['Retry-After']) > 0;
  // A refusal is meant only where it says when to come back.
  const wrong = !declared.includes(response.status) || partial || (refused && !toldWhen);
  const stoodIn = response.headers['X-Gateway-Fallback'] !== undefined;
  errors.add(wrong, { route, second: second() });
  fallbackShare.add(stoodIn || response.status === 202, { route });
  shedShare.add(refused && toldWhen, { route });
  if (wrong && told < TOLD) {
    told += 1;
    const untold = refused && !toldWhen ? ' without Retry-After' : '';
    const what = partial ? 'a part is missing' : response.error || `status ${response.status}${untold}`;
    const body = typeof response.body === 'string' ? response.body.slice(0, 200) : '';
    console.error(`${route}: ${what}, ${Math.round(response.timings.duration)} ms, trace ${trace.id} ${body}`);
  }
}

// Whether an answer came in the first second of its phase: each phase is a k6 scenario, and a fault is set as its phase begins.
function second() {
  return Date.now() - exec.scenario.startTime < 1000 ? 'first' : 'later';
}

function tolerated() {
  return (__ENV.TOLERATED || '').split(',').filter(Boolean).map(Number);
}

export function keyed(key) {
  return key ? { 'X-API-Key': key } : {};
}

// Every route as often as it is to come, in an order that is the same for every run and lets no second see only one route.
function shuffled(mix) {
  const deck = Object.entries(mix).flatMap(([route, count]) => Array(count).fill(route));
  let state = 1;
  for (let left = deck.length - 1; left > 0; left -= 1) {
    state = (state * 48271) % 2147483647;
    const other = state % (left + 1);
    [deck[left], deck[other]] = [deck[other], deck[left]];
  }
  return deck;
}
