// Server-side facts: what Prometheus knows of the run, asserted at its end.
//
// A fact is { promise, query, holds, unit }: `query` makes an expression from the moments of the phases, `holds` judges its value.
// They are asserted in teardown(), which runs after the last phase: what is measured there still counts for thresholds, and k6 judges them afterwards.
// Each fact that holds counts 1 under its name, and a threshold asks for that 1: the run fails with k6's own exit code for broken promises (99), after all facts were asserted, and summary and report name them beside the others.
// `exec.test.fail()` and an exception also fail a run (110, 107), but name nothing in the report; the exception hides the facts after it.
// A fact without data is broken, and so is one that was never reached.

import { sleep } from 'k6';
import { FACTS, SCRAPED_WITHIN } from './settings.js';
import { factsKept } from './measures.js';
import { value } from './prometheus.js';

// The thresholds of these facts.
export function factsHold(facts) {
  if (!FACTS) return {};
  return Object.fromEntries(Object.keys(facts).map((name) => [`facts_kept{fact:${name}}`, ['count==1']]));
}

// Asks for each and prints the table; `found` is what `ready` found before the run.
export function assertFacts(facts, phases, found) {
  if (!FACTS) {
    console.warn('server-side facts: NOT ASSERTED (FACTS=off)');
    return;
  }
  const at = moments(phases, found);
  // The last answers come a moment after the last phase's end.
  at.after = scraped(Date.now() / 1000);
  for (const [name, { promise, query, holds, unit = '' }] of Object.entries(facts)) {
    let measured;
    let kept = false;
    try {
      measured = value(query(at), at.after);
      kept = measured !== null && holds(measured);
    } catch (error) {
      measured = null;
      console.error(`fact ${name}: ${error.message}`);
    }
    factsKept.add(kept ? 1 : 0, { fact: name });
    const shown = measured === null ? 'no data' : `${Math.round(1000 * measured) / 1000}${unit && ` ${unit}`}`;
    console.log(`fact ${kept ? 'kept  ' : 'BROKEN'} ${name}: ${promise}: ${shown}`);
  }
}

// The phases in Unix seconds, and the end of the last; `after` is when Prometheus knows all of it.
function moments(phases, { began, ordersBefore }) {
  const at = { began, ordersBefore, end: began };
  for (const [name, { from, to }] of Object.entries(phases)) {
    at[name] = { from: began + from, to: began + to };
    at.end = Math.max(at.end, began + to);
  }
  return at;
}

// Waits until everybody was scraped after that moment, and says when that is; a Prometheus that scrapes nobody is told by the facts.
function scraped(moment) {
  for (let waited = 0; waited < SCRAPED_WITHIN; waited += 1) {
    const now = Date.now() / 1000;
    const last = value('min(timestamp(lictor_build_info))', now);
    if (last !== null && last >= moment) return now;
    sleep(1);
  }
  console.error(`Prometheus has not scraped everybody within ${SCRAPED_WITHIN} s of the end`);
  return Date.now() / 1000;
}
