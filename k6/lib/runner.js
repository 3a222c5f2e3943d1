// What no script can do by itself: ends and starts processes, through `cargo stack k6`, which listens on RUNNER_URL for the commands of tests/stack/src/control.rs.

import http from 'k6/http';
import { fail } from 'k6';
import { RUNNER_URL } from './settings.js';

// A restart drains first and waits until everything is passing again.
const PATIENCE = '90s';

// For setup(): scenarios that need it say so before anything is asked.
export function needsRunner(scenario) {
  if (!RUNNER_URL) fail(`${scenario} ends and starts processes, which a container cannot: run it with \`cargo stack k6 ${scenario}\``);
}

// One command, such as { verb: 'kill', instance: 'consul' }; its answer.
export function command(what) {
  const answer = http.post(RUNNER_URL, JSON.stringify(what), {
    headers: { 'Content-Type': 'application/json' },
    tags: { route: 'beside', name: 'beside' },
    timeout: PATIENCE,
    responseCallback: null,
  });
  if (answer.status !== 200) throw new Error(`${JSON.stringify(what)}: ${answer.status} ${answer.body || answer.error}`);
  console.log(`${JSON.stringify(what)}: ${answer.json('text') || 'done'}`);
  return answer.json();
}
