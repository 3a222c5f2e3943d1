//! One log event as one line of JSON.
//!
//! `timestamp`, `level`, `target`, `message`, the event's fields beside them, and the ids of the span that is current.
//! A line stays one line and harmless to a terminal: every control character is escaped, every field is capped, and
//! what looks like a credential is not written.
//! The fields of enclosing spans are left out: the trace has them.

use std::fmt::{self, Write as _};

use opentelemetry::{Context, trace::TraceContextExt};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

use super::redact::{redacted, secret};

/// Longest value that is written; enough for an error and its causes, too little to hide a body in.
const FIELD_LENGTH: usize = 4 * 1024;
/// Names that a field cannot take, because the line has them already.
const TAKEN: [&str; 6] = [
    "timestamp",
    "level",
    "target",
    "message",
    "trace_id",
    "span_id",
];

/// Formats events as JSON, one line each.
#[derive(Clone, Copy, Debug)]
pub struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let target = fields
            .log_target
            .as_deref()
            .unwrap_or_else(|| event.metadata().target());

        writer.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut writer)?;
        write!(
            writer,
            "\",\"level\":\"{}\",\"target\":",
            event.metadata().level()
        )?;
        quote(&mut writer, target)?;
        writer.write_str(",\"message\":")?;
        quote(&mut writer, &fields.message)?;
        writer.write_str(&fields.rest)?;
        Context::map_current(|cx| {
            let span = cx.span();
            let ids = span.span_context();
            if ids.is_valid() {
                write!(
                    writer,
                    ",\"trace_id\":\"{}\",\"span_id\":\"{}\"",
                    ids.trace_id(),
                    ids.span_id()
                )?;
            }
            Ok(())
        })?;
        writer.write_str("}\n")
    }
}

/// An event's fields: the message apart, the others as JSON already.
#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
    /// The target of a record that came through the `log` crate.
    log_target: Option<String>,
}

impl Fields {
    fn text(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = capped(&redacted(value)),
            "log.target" => self.log_target = Some(value.to_owned()),
            name if name.starts_with("log.") => {}
            name if secret(name) => self.raw(name, "\"[redacted]\""),
            name => {
                let mut quoted = String::with_capacity(value.len() + 2);
                // Writing to a string cannot fail.
                let _ = quote(&mut quoted, &capped(&redacted(value)));
                self.raw(name, &quoted);
            }
        }
    }

    fn number(&mut self, field: &Field, value: impl fmt::Display) {
        if !field.name().starts_with("log.") {
            self.raw(field.name(), &value.to_string());
        }
    }

    fn raw(&mut self, name: &str, json: &str) {
        self.rest.push_str(if TAKEN.contains(&name) {
            ",\"field."
        } else {
            ",\""
        });
        // Names are identifiers of our own code, or of a crate's: quotes and controls do not occur.
        self.rest.push_str(name.strip_prefix("r#").unwrap_or(name));
        self.rest.push_str("\":");
        self.rest.push_str(json);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.number(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.number(field, value);
        } else {
            self.text(field, &value.to_string());
        }
    }
}

/// `text` as a JSON string, every control character escaped: C0, DEL, C1, and the line separators of JavaScript.
fn quote(out: &mut impl fmt::Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            '\u{2028}' | '\u{2029}' => write!(out, "\\u{:04x}", c as u32)?,
            c if c.is_control() => write!(out, "\\u{:04x}", c as u32)?,
            c => out.write_char(c)?,
        }
    }
    out.write_char('"')
}

fn capped(text: &str) -> String {
    let mut kept = text[..text.floor_char_boundary(FIELD_LENGTH)].to_owned();
    if kept.len() < text.len() {
        // A string takes any text.
        let _ = write!(kept, "... ({} bytes)", text.len());
    }
    kept
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use serde_json::Value;
    use tracing_subscriber::{fmt, layer::SubscriberExt};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The only line that `act` logs.
    fn line(act: impl FnOnce()) -> (String, Value) {
        let lines = Lines::default();
        let written = lines.clone();
        let layer = fmt::layer()
            .event_format(JsonLines)
            .with_writer(move || lines.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), act);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        let json = serde_json::from_str(&text).unwrap();
        (text, json)
    }

    #[test]
    fn a_line_has_the_fields_of_its_event_beside_its_own() {
        let (_, json) = line(|| {
            tracing::info!(
                order = "o-1",
                attempts = 2,
                cached = true,
                ratio = 0.5,
                level = "mine",
                "order accepted"
            );
        });
        assert_eq!(json["message"], "order accepted");
        assert_eq!(json["level"], "INFO");
        assert_eq!(json["order"], "o-1");
        assert_eq!(json["attempts"], 2);
        assert_eq!(json["cached"], true);
        assert_eq!(json["ratio"], 0.5);
        assert_eq!(json["field.level"], "mine");
        assert!(json["timestamp"].as_str().unwrap().ends_with('Z'));
        assert!(json.get("trace_id").is_none());
    }

    #[test]
    fn control_characters_never_reach_the_output_raw() {
        let hostile = "a\nb\r\x1b[31m\u{0}\u{7f}\u{9b}\u{2028}\"\\";
        let (text, json) = line(|| tracing::warn!(path = hostile, "got {hostile}"));
        assert_eq!(json["path"], hostile);
        assert!(
            text.trim_end()
                .chars()
                .all(|c| !c.is_control() && c != '\u{2028}'),
            "{text:?}"
        );
    }

    #[test]
    fn fields_are_capped() {
        let long = "é".repeat(10_000);
        let (text, json) = line(|| tracing::info!(body = long, "got it"));
        assert!(text.len() < 5_000, "{} bytes", text.len());
        assert!(
            json["body"]
                .as_str()
                .unwrap()
                .ends_with("... (20000 bytes)")
        );
    }

    #[test]
    fn credentials_are_not_written() {
        let (text, _) = line(|| {
            tracing::info!(
                authorization = "Bearer abc",
                url = "/x?token=abc&y=1",
                "sent with token=abc"
            );
        });
        assert!(!text.contains("abc"), "{text}");
        assert!(text.contains("y=1"), "{text}");
    }

    #[test]
    fn numbers_that_json_lacks_are_texts() {
        let (_, json) = line(|| tracing::info!(ratio = f64::NAN, "none"));
        assert_eq!(json["ratio"], "NaN");
    }
}
