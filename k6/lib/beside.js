// Requests beside the journey: looks that are no part of what is promised, traced like all others.

import http from 'k6/http';
import { API_KEY, BASE_URL } from './settings.js';
import { keyed } from './shop.js';
import { newTrace } from './trace.js';

export function get(path, key = API_KEY) {
  return ask('GET', path, null, keyed(key));
}

export function post(path, body, headers = {}) {
  return ask('POST', path, JSON.stringify(body), { ...keyed(API_KEY), 'Content-Type': 'application/json', ...headers });
}

// What was answered, and the trace that tells why.
export function said({ status, body, error, request }) {
  return `${status} ${body || error}, traceparent ${request.headers.Traceparent}`;
}

function ask(method, path, body, headers) {
  return http.request(method, BASE_URL + path, body, {
    headers: { ...headers, traceparent: newTrace().traceparent },
    tags: { route: 'beside', name: 'beside' },
    timeout: '5s',
    responseCallback: null,
  });
}
