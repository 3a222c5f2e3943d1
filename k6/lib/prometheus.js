// A small client of Prometheus's query API, and the few expressions that facts are made of.

import http from 'k6/http';
import { sleep } from 'k6';
import { PROMETHEUS_URL, SCRAPE_S } from './settings.js';

const TRIES = 5;

// The one number that an expression has at a moment (Unix seconds), or null where it has none.
export function value(expression, at) {
  const result = query(expression, at);
  if (result.length > 1) throw new Error(`${expression}: ${result.length} series where one was meant`);
  return result.length === 0 ? null : Number(result[0].value[1]);
}

export function query(expression, at) {
  let why;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const answer = http.post(`${PROMETHEUS_URL}/api/v1/query`, { query: expression, time: String(at) }, {
      tags: { route: 'beside', name: 'beside' },
      timeout: '10s',
      responseCallback: null,
    });
    if (answer.status === 200) return answer.json('data.result');
    why = `${answer.status} ${answer.body || answer.error}`;
    // What is wrong with the expression will be wrong the next time too.
    if (answer.status >= 400 && answer.status < 500) break;
    sleep(1);
  }
  throw new Error(`Prometheus on ${expression}: ${why}`);
}

// The rest of a phase, so many seconds after it began and seen by a scrape since: without anything of the phase before.
export function later({ from, to }, after = 0) {
  return { from: from + after + SCRAPE_S, to };
}

// How much counters grew between two moments, all series together; one that began in between began at 0.
export function grew(selector, { from, to }) {
  return `((sum(${selector} @ ${to}) or vector(0)) - (sum(${selector} @ ${from}) or vector(0)))`;
}

// The same for each second.
export function rate(selector, during) {
  return `(${grew(selector, during)} / ${during.to - during.from})`;
}

// The part of these of those.
export function share(selector, ofWhich, during) {
  return `(${grew(selector, during)} / ${grew(ofWhich, during)})`;
}

// When the breaker before an upstream in a process first changed in a phase, in seconds since the phase began; of several instances the first, because one that is not asked has nothing to judge by.
// The first open time is about 5 s, so a scrape every few seconds sees the first change, not a later one.
export function firstTransition(service, upstream, { from, to }) {
  const last = `lictor_breaker_last_transition_timestamp_seconds{service="${service}",upstream="${upstream}"}`;
  return `min(min_over_time((${last} >= ${from})[${Math.ceil(to - from)}s:1s] @ ${to})) - ${from}`;
}

// When it last changed, in seconds since a moment.
export function lastTransition(service, upstream, from) {
  const last = `lictor_breaker_last_transition_timestamp_seconds{service="${service}",upstream="${upstream}"}`;
  return `max(${last}) - ${from}`;
}

// Whether a fault was in force at all, 1 or more; who is down cannot tell of it, but is not there to be scraped.
export function inForce(service, kind, { from, to }) {
  const during = `[${Math.ceil(to - from)}s] @ ${to}`;
  return kind === 'down'
    ? `1 - min(min_over_time(up{service="${service}"}${during}))`
    : `max(max_over_time(lictor_faults_active{service="${service}",kind="${kind}"}${during}))`;
}
