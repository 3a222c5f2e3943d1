// What is measured beside k6's own metrics. Each carries the tags `phase` (from the scenario) and `route`.

import { Counter, Rate, Trend } from 'k6/metrics';

// Answers with a status that the route does not declare, no answer at all, an aggregate with a part missing, or a refusal (429, 503) without Retry-After.
// Tagged `second` besides: `first` when the answer came in the first second of its phase, else `later`.
export const errors = new Rate('errors');
// Answers that stand in for the real one: a last good answer, a static one, an order taken on the last known stock.
export const fallbackShare = new Rate('fallback_share');
// Requests turned away on purpose: 429 or 503 with Retry-After.
export const shedShare = new Rate('shed_share');
// From the end of the fault until nobody can tell any more that there was one.
export const recovery = new Trend('recovery_seconds');
// Server-side facts that held, tagged `fact`.
// A counter and not a rate: k6 lets a threshold on a rate or a trend without samples pass, and takes a counter without samples for 0.
export const factsKept = new Counter('facts_kept');
// What a scenario did beside asking, such as setting a fault or restarting an instance, tagged `step`.
export const stepsDone = new Counter('steps_done');
