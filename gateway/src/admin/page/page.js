// The live page: asks three views of this listener once a second, and shows them.
// Whatever comes from there is written as text, never as markup; nodes that did not change are left alone, so that a selection, the focus and an open row survive.

const EVERY_MS = 1000;
const PATIENCE_MS = 5000;
const SHORT_LIST = 40;

// ---- Elements.

const at = (id) => document.getElementById(id);

/** An element with attributes and children; what is not an element becomes text. */
function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value);
  }
  node.append(...nodes(children));
  return node;
}

function nodes(children) {
  const there = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  return there.map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

/** Makes these the children of `node`, changing only what differs. */
function show(node, ...children) {
  const wanted = nodes(children);
  wanted.forEach((next, place) => {
    const now = node.childNodes[place];
    if (!now) return node.append(next);
    if (now.nodeName !== next.nodeName) return now.replaceWith(next);
    if (now.nodeType === Node.TEXT_NODE) {
      if (now.data !== next.data) now.data = next.data;
      return;
    }
    for (const { name } of [...now.attributes]) if (!next.hasAttribute(name)) now.removeAttribute(name);
    for (const { name, value } of next.attributes) if (now.getAttribute(name) !== value) now.setAttribute(name, value);
    show(now, [...next.childNodes]);
  });
  while (node.childNodes.length > wanted.length) node.lastChild.remove();
}

// ---- Words.

const plain = (code) => String(code).replaceAll("_", " ");
const whole = new Intl.NumberFormat("en");
const count = (number, one, many = `${one}s`) => `${whole.format(number)} ${number === 1 ? one : many}`;
const percent = (part) => `${Math.round(part * 100)} %`;

/** A span of time in one unit: people compare magnitudes. */
function span(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = Math.round(ms / 1000);
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
}

function latency(ms) {
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  return ms < 10 ? `${ms.toFixed(1)} ms` : span(ms);
}

const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");

/** A state is a mark and a word; its colour only repeats them. */
const MARKS = { ok: "●", care: "◐", bad: "✕", off: "○" };
const state = (kind, ...words) => el("span", { class: `state ${kind}` }, el("span", { class: "mark", "aria-hidden": "true" }, MARKS[kind]), " ", words);

const REASONS = {
  local: "an instance in the gateway's own zone",
  spill_capacity: "the own zone is too small for its callers",
  spill_load: "the own zone is too busy",
  no_local: "nobody in the own zone could be picked",
  panic: "Consul calls nobody healthy; better a chance than none",
};

const FALLBACKS = {
  cache: "the last good answer",
  service: "another service",
  static: "a fixed answer",
};

// ---- The header.

const CONSUL = {
  current: ["ok", "answers"],
  waiting: ["care", "has not answered yet"],
  held: ["care", "says what is not believed yet"],
  failing: ["bad", "cannot be asked"],
};

function header(status) {
  const [kind, words] = CONSUL[status.consul.condition] ?? ["care", status.consul.condition];
  const confirmed = status.consul.oldest_ms === null ? "nothing known" : `confirmed ${span(status.consul.oldest_ms)} ago`;
  const sum = (field) => status.routes.reduce((total, route) => total + route[field], 0);
  const fact = (name, ...value) => el("div", null, el("dt", null, name), el("dd", null, value));
  show(at("instance"), status.instance);
  show(
    at("facts"),
    fact("zone", status.zone),
    fact("Consul", state(kind, words), " ", el("small", null, confirmed)),
    fact("requests", `${sum("requests_per_second").toFixed(1)}/s`, " ", el("small", null, `${count(sum("errors"), "error")} in a minute`)),
    fact("in flight", whole.format(status.in_flight)),
    fact("up for", span(status.uptime_s * 1000)),
    fact("version", status.version),
  );
}

function attention(status, upstreams) {
  const found = [];
  if (status.consul.condition !== "current") {
    found.push(state("care", "Consul ", CONSUL[status.consul.condition]?.[1] ?? status.consul.condition, ": calls go by what was known last"));
  }
  for (const { name, breaker } of upstreams) {
    if (breaker.state !== "closed") found.push(state("bad", `${name}: breaker ${plain(breaker.state)}`));
    else if (breaker.mode !== "auto") found.push(state("care", `${name}: breaker is set to ${plain(breaker.mode)}`));
  }
  for (const { name, endpoints } of upstreams) {
    const out = endpoints.filter((one) => condition(one)[0] === "bad").length;
    if (endpoints.length === 0) found.push(state("bad", `${name}: nobody is registered`));
    else if (out > 0) found.push(state("bad", `${name}: ${out} of ${count(endpoints.length, "instance")} not used`));
  }
  for (const route of status.routes) if (route.maintenance) found.push(state("care", `${route.path}: closed for maintenance`));
  const all = upstreams.reduce((total, one) => total + one.endpoints.length, 0);
  const well = state("ok", `all is well: ${count(all, "instance")} of ${count(upstreams.length, "service")}`);
  show(at("attention"), (found.length ? found : [well]).map((line) => el("li", null, line)));
}

// ---- Topology.

/** What is to be said of an instance, the gravest first. */
function condition(one) {
  if (one.health === "maintenance") return ["bad", "in maintenance"];
  if (one.health === "critical") return ["bad", "fails its checks"];
  if (one.ejection === "open") return ["bad", `ejected${one.opens_for_ms ? `, probe in ${span(one.opens_for_ms)}` : ", next is a probe"}`];
  if (one.ejection === "half_open") return ["care", "being probed"];
  if (one.resting_ms !== null) return ["care", `draining or busy, last choice for ${span(one.resting_ms)}`];
  if (one.ramp < 1) return ["care", `slow start, ${percent(one.ramp)}`];
  if (one.health === "warning") return ["care", "check warns"];
  return ["ok", "healthy"];
}

function instance(one) {
  const [kind, words] = condition(one);
  const why = one.ejection !== "closed" && one.last_transition ? plain(one.last_transition.reason) : null;
  return el(
    "li",
    { class: "instance" },
    el("p", { class: "what" }, state(kind, words), el("span", { class: "figures" }, one.latency_us === null ? "not called yet" : latency(one.latency_us / 1000), ` · ${whole.format(one.in_flight)} in flight`)),
    el("p", { class: "id" }, one.id),
    why && el("p", { class: "reason" }, `because of ${why} ${span(one.last_transition.ago_ms)} ago`),
  );
}

function topology(own, upstreams) {
  const zones = [...new Set([own, ...upstreams.flatMap((one) => one.endpoints.map((endpoint) => endpoint.zone)).sort()])];
  const title = (zone) => `zone ${zone}${zone === own ? ", ours" : ""}`;
  const cell = (upstream, zone) => {
    const there = upstream.endpoints.filter((endpoint) => endpoint.zone === zone);
    const share = upstream.zones.find((one) => one.zone === zone)?.share ?? 0;
    const meter = el("meter", { min: 0, max: 1, value: share, "aria-hidden": "true" });
    const says = there.length > 0 ? [meter, `${percent(share)} of the calls`] : "nobody";
    const attributes = { "data-label": title(zone), class: there.length > 0 ? null : "nobody" };
    return el("td", attributes, el("p", { class: "share" }, says), there.length > 0 && el("ul", null, there.map(instance)));
  };
  const service = (upstream) =>
    el("th", { scope: "row" }, upstream.name, el("small", null, `${whole.format(upstream.in_flight)} in flight`), breakerState(upstream.breaker, "breaker "));
  show(
    at("topology"),
    el("thead", null, el("tr", null, el("th", { scope: "col" }, "service"), zones.map((zone) => el("th", { scope: "col" }, title(zone))))),
    el("tbody", null, upstreams.map((upstream) => el("tr", null, service(upstream), zones.map((zone) => cell(upstream, zone))))),
  );
}

// ---- Breakers and limits.

function breakerState(breaker, before = "") {
  const kind = { closed: "ok", half_open: "care", open: "bad" }[breaker.state] ?? "care";
  return state(kind, before, plain(breaker.state));
}

function table(id, columns, rows) {
  const cell = (value, place) => el(place === 0 ? "th" : "td", place === 0 ? { scope: "row" } : { "data-label": columns[place] }, value);
  show(
    at(id),
    el("thead", null, el("tr", null, columns.map((column) => el("th", { scope: "col" }, column)))),
    el("tbody", null, rows.map((row) => el("tr", null, row.map(cell)))),
  );
}

function breakers(upstreams) {
  const row = ({ name, breaker }) => {
    const last = breaker.last_transition;
    const probe = breaker.opens_for_ms === null ? null : el("small", null, `probe in ${span(breaker.opens_for_ms)}`);
    return [name, [breakerState(breaker), probe], plain(breaker.mode), last ? plain(last.reason) : "never changed", last ? `${span(last.ago_ms)} ago` : "–"];
  };
  table("breakers", ["service", "state", "mode", "reason", "since"], upstreams.map(row));
}

function limits({ gateways, groups }) {
  const ours = gateways === 1 ? "this gateway alone has it" : `of ${gateways} gateways each gives 1/${gateways} of it`;
  show(at("sharing"), `For each client, an address or a principal; ${ours}.`);
  const row = (group) => [
    group.name,
    [`${whole.format(group.requests)} in ${span(group.per_ms)}`, el("small", null, `${whole.format(group.burst)} at once`)],
    [whole.format(group.clients), group.own_quotas > 0 && el("small", null, count(group.own_quotas, "own quota"))],
    whole.format(group.admitted),
    group.refused > 0 ? state("care", whole.format(group.refused)) : "0",
  ];
  table("limits", ["limit", "allows", "clients", "admitted", "refused"], groups.map(row));
}

// ---- The last requests.

const ended = (attempt) => (attempt.error ? plain(attempt.error) : String(attempt.status));
const failed = (attempt) => attempt.error !== null || attempt.status >= 500;
const straight = (request) =>
  request.status < 400 && !request.fallback && !request.partial && chains(request).every((chain) => chain.length === 1) && request.attempts.every((one) => one.reason === "local" && !one.probe);

/** The attempts by upstream: an aggregate asks several side by side. */
function chains(request) {
  const upstreams = [...new Set(request.attempts.map((attempt) => attempt.upstream))];
  return upstreams.map((upstream) => request.attempts.filter((attempt) => attempt.upstream === upstream));
}

/** One line that says where it went and why. */
function why(request) {
  const step = (attempt, place, chain) => {
    const where = `zone ${attempt.zone}, ${plain(attempt.reason)}${attempt.probe ? ", probe" : ""}`;
    const what = chain.length > 1 || failed(attempt) ? `: ${ended(attempt)}` : "";
    return `${place === 0 ? `${attempt.upstream} in ` : ""}${where}${what}`;
  };
  const went = chains(request).map((chain) => chain.map(step).join(" → "));
  const parts = went.length > 0 ? [went.join(request.fallback === "service" ? " → " : " + ")] : [];
  if (request.shared) parts.push("shared the answer to the same read");
  const met = request.attempts.some(failed);
  if (request.limit) parts.push(`over the limit ${request.limit}`);
  else if (request.code && !met) parts.push(plain(request.code));
  if (request.fallback) parts.push(`${FALLBACKS[request.fallback] ?? request.fallback} stands in`);
  if (request.partial) parts.push("parts are missing");
  if (parts.length === 0) parts.push("answered here, from memory");
  return parts.join(" → ");
}

function details(request) {
  const step = (attempt) => {
    const close = attempt.last && attempt.last !== "final" ? `; no other attempt: ${plain(attempt.last)}` : "";
    return el(
      "li",
      null,
      el("code", null, attempt.instance),
      ` of ${attempt.upstream} in zone ${attempt.zone}, ${plain(attempt.reason)} (${REASONS[attempt.reason] ?? attempt.reason})${attempt.probe ? ", to find out whether it is well again" : ""}: ${ended(attempt)} after ${latency(attempt.took_ms)}${close}`,
    );
  };
  const fact = (name, value) => value && el("div", null, el("dt", null, name), el("dd", null, value));
  return [
    request.attempts.length > 0 && el("ol", { class: "steps" }, request.attempts.map(step)),
    el(
      "dl",
      null,
      fact("route", request.route),
      fact("code", request.code && el("code", null, request.code)),
      fact("limit", request.limit),
      fact("fallback", request.fallback && `${request.fallback}: ${FALLBACKS[request.fallback] ?? ""}`),
      fact("trace", request.trace_id && el("code", null, request.trace_id)),
    ),
  ];
}

function row(request, now) {
  const kind = request.status >= 500 ? "bad" : request.status >= 400 || !straight(request) ? "care" : "ok";
  const summary = el(
    "summary",
    null,
    el("time", null, clock(now - request.ago_ms)),
    el("span", { class: "route" }, el("b", null, request.method), " ", request.path ?? "no route"),
    state(kind, request.status),
    el("span", { class: "took" }, latency(request.took_ms)),
    el("span", { class: "why" }, why(request)),
  );
  return el("li", { "data-number": request.number }, el("details", null, summary, details(request)));
}

/** A request never changes once it is here: rows are made once, the new ones go on top. */
const rows = new Map();
let latest = { instance: null, kept: 0, seen: 0, requests: [] };

/** A gateway that was started anew counts from 1 again: its requests are none of those that have rows. */
function learn(seen) {
  if (seen.instance !== latest.instance) rows.clear();
  latest = seen;
}

function requests() {
  const list = at("list");
  const chosen = latest.requests.filter((request) => !at("unusual").checked || !straight(request));
  const shown = at("all").checked ? chosen : chosen.slice(0, SHORT_LIST);
  const numbers = new Set(latest.requests.map((request) => request.number));
  for (const [number, { node }] of rows) {
    if (!numbers.has(number)) {
      node.remove();
      rows.delete(number);
    }
  }
  const now = Date.now();
  for (const request of latest.requests) {
    if (!rows.has(request.number)) rows.set(request.number, { node: row(request, now) });
  }
  const wanted = shown.map((request) => rows.get(request.number).node);
  for (const node of [...list.children]) if (!wanted.includes(node)) node.remove();
  wanted.forEach((node, place) => {
    if (list.children[place] !== node) list.insertBefore(node, list.children[place] ?? null);
  });
  show(at("seen"), `${whole.format(shown.length)} of the last ${whole.format(latest.requests.length)} shown; ${count(latest.seen, "request")} since the start. Open one for every step and its trace.`);
  const none = at("none");
  none.hidden = shown.length > 0;
  show(none, latest.requests.length === 0 ? "Nobody has asked anything yet." : "All went straight: one attempt, in the own zone, answered.");
}

// ---- The pulse.

let fresh = null;

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function look() {
  try {
    const [status, { upstreams }, seen] = await Promise.all([ask("/gateway/status"), ask("/upstreams"), ask("/gateway/requests")]);
    header(status);
    attention(status, upstreams);
    topology(status.zone, upstreams);
    breakers(upstreams);
    limits(status.limits);
    if (!at("hold").checked) {
      learn(seen);
      requests();
    }
    fresh = Date.now();
    pulse(true);
  } catch (error) {
    console.warn(error);
    pulse(false);
  }
}

function pulse(live) {
  document.body.classList.toggle("stale", !live);
  const since = fresh === null ? "no answer yet" : `stale since ${clock(fresh)}`;
  // Read out when it changes, so the clock is not in it.
  show(at("pulse"), live ? state("ok", "live") : state("bad", since));
  show(at("clock"), live ? clock(fresh) : "");
}

async function watch() {
  // Nobody looks at a page in the background.
  if (!document.hidden) await look();
  setTimeout(watch, EVERY_MS);
}

for (const id of ["unusual", "all"]) at(id).addEventListener("change", requests);
watch();
