//! Waits for what there is a limited number of: seen in a trace only where they took time.

use std::time::{Duration, Instant, SystemTime};

use opentelemetry::trace::SpanBuilder;

use super::Span;

/// A shorter wait is none: most are some microseconds, and would only make traces long.
const NOTICEABLE: Duration = Duration::from_millis(1);

/// A wait, which becomes a span when it is over, if it was long enough to be one.
#[derive(Debug)]
pub struct Wait {
    parent: Span,
    name: &'static str,
    /// Where the span begins, and how long it is by a clock that nobody sets.
    began: Option<(SystemTime, Instant)>,
}

impl Span {
    /// Begins a wait inside this one; `name` says for what.
    pub fn wait(&self, name: &'static str) -> Wait {
        Wait {
            parent: Self {
                cx: self.cx.clone(),
                ours: false,
            },
            name,
            began: self
                .cx
                .as_ref()
                .map(|_| (SystemTime::now(), Instant::now())),
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let noticed = self
            .began
            .filter(|(_, since)| since.elapsed() >= NOTICEABLE);
        if let Some((began, _)) = noticed {
            let builder = || SpanBuilder::from_name(self.name).with_start_time(began);
            drop(self.parent.child(builder));
        }
    }
}
