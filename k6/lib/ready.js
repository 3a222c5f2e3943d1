// Before a run: everything is there and well, Prometheus knows what was before, and the ids that the journey asks for are known.

import { sleep } from 'k6';
import { get, post, said } from './beside.js';
import { SERVICES } from './faults.js';
import { stored } from './orders.js';
import { value } from './prometheus.js';
import { FACTS } from './settings.js';
import { hex } from './trace.js';

const PATIENCE_S = 60;
// Enough different orders that no single one is always in a cache.
const ORDERS = 10;

// Waits for readiness; `began` is the moment from which the phases count, `ordersBefore` how many orders were in the store by then.
export function ready() {
  until('every service to be well', () => {
    const health = get('/api/health');
    return health.status === 200 && health.json('status') === 'healthy' ? null : said(health);
  });
  const people = ids('/api/users?limit=20', 'id');
  const skus = ids('/api/inventory/items?limit=20', 'sku');
  const orders = ids('/api/orders?limit=20', 'id');
  while (orders.length < ORDERS) {
    orders.push(firstOrder(people[0], skus[0]));
  }
  if (FACTS) scraped(Date.now() / 1000);
  return { shop: { people, orders }, ordersBefore: stored(), began: Date.now() / 1000 };
}

// What was counted before the run is none of its facts: every counter was seen by a scrape since that moment.
function scraped(since) {
  until('Prometheus to scrape every service and the gateway', () => {
    const oldest = value(`min(timestamp(lictor_build_info)) and on () (count(count by (service) (lictor_build_info)) >= ${SERVICES.length + 1})`, Date.now() / 1000);
    return oldest !== null && oldest >= since ? null : `the oldest scrape is ${oldest === null ? 'not there' : `${Math.round(since - oldest)} s older`}`;
  });
}

// Asks `look` until it says null; what it said last is the reason of the failure.
export function until(what, look, patience = PATIENCE_S, every = 0.5) {
  const begin = Date.now();
  for (;;) {
    const why = look();
    const waited = (Date.now() - begin) / 1000;
    if (why === null) return waited;
    if (waited > patience) throw new Error(`waited ${patience} s for ${what}: ${why}`);
    sleep(every);
  }
}

function ids(path, field) {
  const page = get(path);
  if (page.status !== 200) throw new Error(`GET ${path} answered ${said(page)}`);
  return list(page.json()).map((entry) => entry[field]);
}

function list(body) {
  return Array.isArray(body) ? body : Object.values(body).find(Array.isArray) || [];
}

function firstOrder(person, sku) {
  const answer = post('/api/orders', { user_id: person, items: [{ sku, quantity: 1 }] }, { 'Idempotency-Key': hex(16) });
  if (answer.status !== 201) throw new Error(`POST /api/orders answered ${said(answer)}`);
  return answer.json('id');
}
