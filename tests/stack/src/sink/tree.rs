//! A trace as a tree of lines: who called whom, where, how long, and what is worth knowing of it.

use std::collections::BTreeSet;
use std::fmt;

use super::store::{Span, Trace};

/// Attributes that explain an outcome or a choice; the others are in the collector for those who look for them.
const TELLING: &[&str] = &[
    "http.response.status_code",
    "error.type",
    "http.request.resend_count",
    "lictor.pick_reason",
    "lictor.zone",
    "lictor.breaker_state",
];

impl Trace {
    /// Spans that have no parent here, earliest first.
    pub fn roots(&self) -> Vec<&Span> {
        let known: BTreeSet<&str> = self.spans.iter().map(|span| span.id.as_str()).collect();
        self.sorted(|span| {
            span.parent
                .as_deref()
                .is_none_or(|parent| !known.contains(parent))
        })
    }

    pub fn children(&self, of: &Span) -> Vec<&Span> {
        self.sorted(|span| span.parent.as_ref() == Some(&of.id))
    }

    /// Which service called which, seen from client span to server span.
    pub fn edges(&self) -> BTreeSet<(String, String)> {
        let calls = self
            .spans
            .iter()
            .flat_map(|from| self.children(from).into_iter().map(move |to| (from, to)));
        calls
            .filter(|(from, to)| from.service != to.service)
            .map(|(from, to)| (from.service.clone(), to.service.clone()))
            .collect()
    }

    /// One root, and every answered call has what was done for it.
    pub fn is_whole(&self) -> bool {
        let answered = |span: &&Span| {
            span.kind == "client" && span.attribute("http.response.status_code").is_some()
        };
        self.roots().len() == 1
            && self
                .spans
                .iter()
                .filter(answered)
                .all(|span| !self.children(span).is_empty())
    }

    fn sorted(&self, wanted: impl Fn(&Span) -> bool) -> Vec<&Span> {
        let mut spans: Vec<&Span> = self.spans.iter().filter(|span| wanted(span)).collect();
        spans.sort_by_key(|span| span.start);
        spans
    }

    fn branch(
        &self,
        out: &mut fmt::Formatter<'_>,
        span: &Span,
        lead: &str,
        last: bool,
    ) -> fmt::Result {
        let (corner, below) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        writeln!(out, "{lead}{corner}{span}")?;
        let children = self.children(span);
        for (index, child) in children.iter().enumerate() {
            self.branch(
                out,
                child,
                &format!("{lead}{below}"),
                index + 1 == children.len(),
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{} ({} spans)", self.id, self.spans.len())?;
        let roots = self.roots();
        for (index, root) in roots.iter().enumerate() {
            self.branch(out, root, "", index + 1 == roots.len())?;
        }
        Ok(())
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = if self.zone.is_empty() {
            "?"
        } else {
            &self.zone
        };
        let milliseconds = self.duration.as_secs_f64() * 1e3;
        write!(
            out,
            "{}/{zone}  {}  {}  {}  {milliseconds:.1} ms",
            self.service, self.kind, self.name, self.status
        )?;
        for (key, value) in TELLING
            .iter()
            .filter_map(|key| self.attribute(key).map(|value| (key, value)))
        {
            write!(out, "  {key}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn span(id: &str, parent: Option<&str>, service: &str, kind: &'static str, start: u64) -> Span {
        Span {
            id: id.into(),
            parent: parent.map(Into::into),
            service: service.into(),
            instance: String::new(),
            zone: "a".into(),
            name: "GET /x".into(),
            kind,
            status: "unset",
            start: Duration::from_millis(start),
            duration: Duration::from_micros(1500),
            attributes: vec![
                ("http.response.status_code".into(), "200".into()),
                ("code.line".into(), "7".into()),
            ],
        }
    }

    fn trace() -> Trace {
        let spans = vec![
            span("4", Some("3"), "orders", "server", 3),
            span("2", Some("1"), "gateway", "internal", 1),
            span("3", Some("1"), "gateway", "client", 2),
            span("1", Some("of the caller"), "gateway", "server", 0),
        ];
        Trace {
            id: "abc".into(),
            spans,
        }
    }

    #[test]
    fn the_tree_follows_parents_in_order_of_time() {
        let text = trace().to_string();
        let leads: Vec<&str> = text
            .lines()
            .skip(1)
            .map(|line| line.split("  ").next().unwrap_or_default())
            .collect();
        assert_eq!(text.lines().count(), 5, "{text}");
        assert!(leads[0].starts_with("└─ gateway/a"), "{text}");
        assert!(text.contains("   ├─ gateway/a  internal"), "{text}");
        assert!(
            text.contains(
                "      └─ orders/a  server  GET /x  unset  1.5 ms  http.response.status_code=200\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_trace_is_whole_when_each_answered_call_shows_what_was_done_for_it() {
        let mut trace = trace();
        assert!(trace.is_whole());
        trace.spans.remove(0);
        assert!(
            !trace.is_whole(),
            "the call to orders was answered, by nobody that is here"
        );
    }

    #[test]
    fn edges_are_calls_between_services() {
        assert_eq!(
            trace().edges(),
            BTreeSet::from([("gateway".to_owned(), "orders".to_owned())])
        );
    }
}
