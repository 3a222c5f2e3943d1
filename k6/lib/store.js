// Consul's KV store below `lictor/`: what every process follows while it runs.

import http from 'k6/http';
import { CONSUL_URL } from './settings.js';

const beside = { tags: { route: 'beside', name: 'beside' }, timeout: '5s', responseCallback: null };

export function put(key, value) {
  done('PUT', key, http.put(url(key), JSON.stringify(value), beside));
}

export function remove(key) {
  done('DELETE', key, http.del(url(key), null, beside));
}

// The registered instances of a service: [{ id, zone }].
export function instances(service) {
  const answer = http.get(`${CONSUL_URL}/v1/health/service/${service}`, beside);
  if (answer.status !== 200) throw new Error(`Consul's instances of ${service}: ${answer.status} ${answer.body || answer.error}`);
  return answer.json().map(({ Service }) => ({ id: Service.ID, zone: Service.Meta.zone }));
}

function url(key) {
  return `${CONSUL_URL}/v1/kv/lictor/${key}`;
}

function done(method, key, answer) {
  if (answer.status !== 200) throw new Error(`${method} lictor/${key}: ${answer.status} ${answer.body || answer.error}`);
}
