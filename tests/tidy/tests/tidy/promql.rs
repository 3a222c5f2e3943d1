//! The names in an expression of PromQL: metrics and labels, told apart by where they stand.
//!
//! This is no parser: a wrong expression is Prometheus' to refuse. It is enough to hold rules against the catalogue.

/// What an expression names.
#[derive(Debug, Default)]
pub struct Names {
    pub selectors: Vec<Selector>,
    /// In `by (...)`, `on (...)` and their like.
    pub grouped: Vec<String>,
    /// Whole strings, such as the label that `label_replace` makes.
    pub strings: Vec<String>,
}

/// A metric and the labels that it is chosen by.
#[derive(Debug)]
pub struct Selector {
    pub metric: String,
    pub labels: Vec<String>,
}

/// Before a list of labels.
const GROUPING: &[&str] = &[
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];

/// Words that stand where a metric could, and are none. Functions are known by their parenthesis.
const WORDS: &[&str] = &[
    "and", "avg", "bool", "bottomk", "count", "group", "inf", "max", "min", "nan", "offset", "or",
    "quantile", "stddev", "sum", "topk", "unless",
];

/// The names in `expression`.
pub fn names(expression: &str) -> Names {
    let mut names = Names::default();
    let mut rest = expression;
    // Between `{` and `}`, and between the parentheses of a list of labels.
    let (mut matching, mut listing) = (false, false);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' | '`' => {
                let inside = string(&rest[1..], first);
                names.strings.push(inside.to_owned());
                inside.len() + 2
            }
            '#' => rest.find('\n').unwrap_or(rest.len()),
            // A range: durations are no names.
            '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
            '0'..='9' => word(rest, |c| c.is_ascii_alphanumeric() || c == '.'),
            'a'..='z' | 'A'..='Z' | '_' | ':' => {
                let length = word(rest, |c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
                let name = &rest[..length];
                let next = rest[length..].trim_start().chars().next();
                if matching {
                    let chosen = names.selectors.last_mut();
                    chosen
                        .expect("a brace comes after a metric")
                        .labels
                        .push(name.to_owned());
                } else if listing {
                    names.grouped.push(name.to_owned());
                } else if GROUPING.contains(&name) {
                    listing = next == Some('(');
                } else if next != Some('(') && !WORDS.contains(&name) {
                    names.selectors.push(Selector {
                        metric: name.to_owned(),
                        labels: Vec::new(),
                    });
                }
                length
            }
            other => {
                match other {
                    '{' => matching = true,
                    '}' => matching = false,
                    ')' => listing = false,
                    _ => {}
                }
                other.len_utf8()
            }
        };
        rest = &rest[length.min(rest.len())..];
    }
    names
}

fn word(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// What stands before the closing quotation mark.
fn string(text: &str, mark: char) -> &str {
    let mut escaped = false;
    let end = text.find(|c| {
        let ends = c == mark && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    &text[..end.unwrap_or(text.len())]
}

#[test]
fn names_are_told_apart_by_where_they_stand() {
    let names = names(
        "sum by (zone) (rate(calls_total{route=~\"a|b{1}\", status!=\"5\"}[5m] offset 1h)) > on (slo) group_left () 14.4 * ok:ratio",
    );
    let metrics: Vec<&str> = names.selectors.iter().map(|one| &*one.metric).collect();
    assert_eq!(metrics, ["calls_total", "ok:ratio"]);
    assert_eq!(names.selectors[0].labels, ["route", "status"]);
    assert_eq!(names.grouped, ["zone", "slo"]);
    assert_eq!(names.strings, ["a|b{1}", "5"]);
}
