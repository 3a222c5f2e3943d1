// Trace context: each request starts a trace of its own, so that a failing one can be named and looked up.

// The header (W3C traceparent, sampled) and the id in it.
export function newTrace() {
  const id = hex(16);
  return { id, traceparent: `00-${id}-${hex(8)}-01` };
}

// Never all zeros, which the standard forbids: the first digit is not 0.
export function hex(bytes) {
  let digits = (1 + Math.floor(Math.random() * 15)).toString(16);
  while (digits.length < 2 * bytes) {
    digits += Math.floor(Math.random() * 16).toString(16);
  }
  return digits;
}
