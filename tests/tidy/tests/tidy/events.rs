//! Every event that the code logs at `info` or above is in observability/README.md, and the other way round.

use std::collections::BTreeSet;

use super::sources::{self, Source};
use tidy::catalogue;

const LEVELS: &[&str] = &["error", "warn", "info"];

/// One row of the table.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Event {
    message: String,
    level: String,
    fields: String,
    made_by: String,
}

/// The arguments of a macro, from behind its opening parenthesis.
fn arguments(text: &str) -> Vec<&str> {
    let (mut found, mut begin) = (Vec::new(), 0);
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => {
                found.push(text[begin..at].trim());
                break;
            }
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(text[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    found.retain(|argument| !argument.is_empty());
    found
}

/// Who logs what stands in this file.
fn made_by(source: &Source) -> String {
    let mut folders = source.path.components().map(|part| part.as_os_str());
    let mut folder = || folders.next().unwrap_or_default().to_string_lossy();
    match &*folder() {
        "shared" => "every process".to_owned(),
        "services" => folder().into_owned(),
        name => name.to_owned(),
    }
}

fn running() -> Vec<Source> {
    let mut sources = sources::all();
    sources.retain(|source| source.is_production() && !source.path.starts_with("tests"));
    sources
}

fn logged() -> BTreeSet<Event> {
    let mut found = BTreeSet::new();
    for source in running() {
        for level in LEVELS {
            let call = format!("tracing::{level}!(");
            let calls = source.production_text().split(&call);
            for call in calls.skip(1).map(arguments) {
                let (messages, fields): (Vec<_>, Vec<_>) =
                    call.into_iter().partition(|one| one.starts_with('"'));
                let [message] = *messages else {
                    panic!("{}: one message: {messages:?}", source.path.display());
                };
                let name = |field: &str| {
                    let name = field.split(" = ").next().unwrap_or_default();
                    name.trim_start_matches(['%', '?']).to_owned()
                };
                let fields: Vec<String> = fields.into_iter().map(name).collect();
                found.insert(Event {
                    message: message.trim_matches('"').to_owned(),
                    level: (*level).to_owned(),
                    fields: fields.join(", "),
                    made_by: made_by(&source),
                });
            }
        }
    }
    assert!(found.len() > 40, "the events were not found");
    found
}

fn told() -> BTreeSet<Event> {
    let text = catalogue::text();
    let table = text
        .split("\n\n")
        .find(|part| part.starts_with("| message | level | fields |"))
        .expect("the catalogue has a table of log events");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let event = |row: &str| {
        let mut cells = row.split('|').map(|cell| cell.trim().to_owned());
        let mut cell = || cells.next().unwrap_or_default();
        let event = Event {
            message: cell().trim_end_matches('`').to_owned(),
            level: cell(),
            fields: cell(),
            made_by: cell(),
        };
        assert!(!cell().is_empty(), "{event:?} means nothing");
        event
    };
    rows.map(event).collect()
}

fn lines<'a>(events: impl Iterator<Item = &'a Event>) -> String {
    let line = |event: &Event| {
        let Event {
            message,
            level,
            fields,
            made_by,
        } = event;
        format!("| `{message}` | {level} | {fields} | {made_by} |")
    };
    events.map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_event_of_the_code_is_in_the_catalogue_with_its_level_its_fields_and_who_logs_it() {
    let (logged, told) = (logged(), told());
    let missing = lines(logged.difference(&told));
    assert!(
        missing.is_empty(),
        "not in observability/README.md:\n{missing}"
    );
}

#[test]
fn every_event_of_the_catalogue_is_in_the_code() {
    let (logged, told) = (logged(), told());
    let gone = lines(told.difference(&logged));
    assert!(
        gone.is_empty(),
        "in observability/README.md but nowhere in the code:\n{gone}"
    );
}

#[test]
fn a_message_is_the_same_words_each_time_and_what_varies_is_a_field() {
    let varies = logged().into_iter().filter(|one| one.message.contains('{'));
    let varies: Vec<String> = varies.map(|one| one.message).collect();
    assert!(varies.is_empty(), "{varies:?}");
}

#[test]
fn events_are_logged_in_one_way_so_that_they_are_found_here() {
    let mut wrong = Vec::new();
    for source in running() {
        let text = source.production_text();
        for name in LEVELS.iter().chain(&["event"]) {
            let call = format!("{name}!(");
            let calls = text.match_indices(&call);
            let other = calls.filter(|(at, _)| !text[..*at].ends_with("tracing::"));
            wrong.extend(other.map(|_| format!("{}: {name}!", source.path.display())));
        }
        if text.contains("tracing::event!(") {
            wrong.push(format!("{}: tracing::event!", source.path.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "tracing::LEVEL!(...): {}",
        wrong.join("\n")
    );
}
