//! Trace context on the wire: W3C `traceparent`, `tracestate` and `traceresponse`, read strictly, written afresh.
//!
//! A malformed or doubled `traceparent` is no context at all; a malformed `tracestate` alone is dropped.
//! Whether an incoming context is believed is decided by [`crate::http::Observe`].
//! Baggage is not read and not passed on.
//! Headers go out as strings, because this house has two versions of the `http` crate in it.

use std::{borrow::Cow, future::Future};

use actix_web::http::header::HeaderMap;
use opentelemetry::{
    Context,
    trace::{FutureExt, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
};

/// `version-trace-parent-flags` of version 00 is exactly this long.
const TRACEPARENT_LENGTH: usize = 55;
/// What every vendor must be able to pass on, by the specification; more is refused.
const TRACESTATE_LENGTH: usize = 512;
/// The specification's limit on list members.
const TRACESTATE_MEMBERS: usize = 32;

/// The context that a request carries, if it carries exactly one well-formed `traceparent`.
pub fn incoming(headers: &HeaderMap) -> Option<SpanContext> {
    let mut parents = headers.get_all("traceparent");
    let parent = parents.next()?.to_str().ok()?;
    if parents.next().is_some() {
        return None;
    }
    let mut states = headers
        .get_all("tracestate")
        .map(|state| state.to_str().unwrap_or_default());
    let mut state = Cow::Borrowed(states.next().unwrap_or_default());
    for more in states {
        state.to_mut().push(',');
        state.to_mut().push_str(more);
    }
    parse(parent, &state)
}

/// Reads a `traceparent`, and the `tracestate` beside it (empty: none).
pub fn parse(traceparent: &str, tracestate: &str) -> Option<SpanContext> {
    let (version, trace, parent, flags) = fields(traceparent)?;
    let known = version == 0 && traceparent.len() == TRACEPARENT_LENGTH;
    let newer = version > 0
        && version < 0xff
        && (traceparent.len() == TRACEPARENT_LENGTH
            || traceparent.as_bytes()[TRACEPARENT_LENGTH] == b'-');
    let context = SpanContext::new(
        TraceId::from(trace),
        SpanId::from(parent),
        TraceFlags::new(flags) & TraceFlags::SAMPLED,
        true,
        state(tracestate),
    );
    ((known || newer) && context.is_valid()).then_some(context)
}

/// The headers that carry `context` to the next hop; none for an invalid one.
pub fn outgoing(context: &SpanContext) -> Vec<(&'static str, String)> {
    if !context.is_valid() {
        return Vec::new();
    }
    let mut headers = vec![("traceparent", format(context))];
    let state = context.trace_state().header();
    if !state.is_empty() {
        headers.push(("tracestate", state));
    }
    headers
}

/// `context` as the value of `traceparent` or `traceresponse`.
pub fn format(context: &SpanContext) -> String {
    format!(
        "00-{}-{}-{:02x}",
        context.trace_id(),
        context.span_id(),
        (context.trace_flags() & TraceFlags::SAMPLED).to_u8()
    )
}

/// The id of the current trace, 32 hexadecimal digits.
pub fn trace_id() -> Option<String> {
    trace_number().map(|number| format!("{number:032x}"))
}

/// The same as a number, for who only keeps it.
pub fn trace_number() -> Option<u128> {
    Context::map_current(|cx| {
        let span = cx.span();
        let context = span.span_context();
        let number = || u128::from_be_bytes(context.trace_id().to_bytes());
        context.is_valid().then(number)
    })
}

/// The trace that was current at some moment, for who ends when it is current no more: a future that is dropped is not in
/// the context that it was polled in.
#[derive(Debug)]
pub struct Here(Context);

impl Here {
    /// The current one.
    pub fn now() -> Self {
        Self(Context::current())
    }

    /// Makes it current again, as long as what is returned is held.
    pub fn enter(&self) -> impl Drop + use<> {
        self.0.clone().attach()
    }
}

/// `future` with the current trace around it, for work that is handed to another task.
pub fn carried<F: Future>(future: F) -> impl Future<Output = F::Output> {
    future.with_context(Context::current())
}

/// The four fields of a `traceparent` whose digits and dashes are where they belong.
fn fields(text: &str) -> Option<(u8, u128, u64, u8)> {
    let head = text.get(..TRACEPARENT_LENGTH)?;
    let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let well_formed = head.bytes().enumerate().all(|(at, byte)| match at {
        2 | 35 | 52 => byte == b'-',
        _ => lower_hex(byte),
    });
    if !well_formed {
        return None;
    }
    Some((
        u8::from_str_radix(&head[..2], 16).ok()?,
        u128::from_str_radix(&head[3..35], 16).ok()?,
        u64::from_str_radix(&head[36..52], 16).ok()?,
        u8::from_str_radix(&head[53..], 16).ok()?,
    ))
}

fn state(text: &str) -> TraceState {
    let printable = text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    if !printable || text.len() > TRACESTATE_LENGTH || text.split(',').count() > TRACESTATE_MEMBERS
    {
        return TraceState::NONE;
    }
    text.parse().unwrap_or(TraceState::NONE)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_well_formed_context_survives_the_round_trip() {
        let context = parse(GOOD, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE").unwrap();
        assert!(context.is_remote() && context.is_sampled());
        assert_eq!(
            outgoing(&context),
            [
                ("traceparent", GOOD.to_owned()),
                (
                    "tracestate",
                    "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE".to_owned()
                )
            ]
        );
    }

    #[test]
    fn malformed_parents_are_no_context() {
        for bad in [
            "",
            "00",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
            "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
            "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b71692033é1-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0é",
        ] {
            assert!(parse(bad, "").is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_newer_version_is_read_by_what_is_known_of_it() {
        let newer = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-more";
        let context = parse(newer, "").unwrap();
        assert_eq!(format(&context), GOOD);
    }

    #[test]
    fn a_bad_state_leaves_the_parent_alone() {
        let members: Vec<_> = (0..33).map(|n| format!("k{n}=v")).collect();
        for bad in [
            "no equals sign",
            "UPPER=1",
            &"a".repeat(600),
            &members.join(","),
            "k=\u{7}",
        ] {
            let context = parse(GOOD, bad).unwrap();
            assert_eq!(context.trace_state().header(), "", "{bad:?}");
        }
    }

    #[test]
    fn doubled_parents_are_no_context_and_split_states_are_one() {
        let name = |name| HeaderName::from_static(name);
        let mut headers = HeaderMap::new();
        headers.append(name("traceparent"), HeaderValue::from_static(GOOD));
        headers.append(name("tracestate"), HeaderValue::from_static("a=1"));
        headers.append(name("tracestate"), HeaderValue::from_static("b=2"));
        assert_eq!(
            incoming(&headers).unwrap().trace_state().header(),
            "a=1,b=2"
        );
        headers.append(name("traceparent"), HeaderValue::from_static(GOOD));
        assert!(incoming(&headers).is_none());
    }

    #[test]
    fn no_context_sends_no_headers() {
        assert!(outgoing(&SpanContext::empty_context()).is_empty());
        assert_eq!(trace_id(), None);
    }
}
