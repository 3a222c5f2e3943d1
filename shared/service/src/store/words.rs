//! What a statement is called, by its first words: for its series and for its span.
//!
//! Nothing unbounded becomes a name: four operations, and tables only where those name one of the schema's.
//! Values are never looked at.

/// The operations that have a name.
const KNOWN: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];
/// What all others are called, as the conventions call what is not known.
const OTHER: &str = "_OTHER";
/// PostgreSQL's longest name.
const LONGEST: usize = 63;

/// The first word of `sql`, if it is a known one.
pub(super) fn operation(sql: &str) -> &'static str {
    let first = sql.split_whitespace().next().unwrap_or_default();
    let known = KNOWN.iter().find(|word| word.eq_ignore_ascii_case(first));
    known.unwrap_or(&OTHER)
}

/// The first table that `sql` is about, where an operation of a known name says so simply.
pub(super) fn table<'s>(operation: &str, sql: &'s str) -> Option<&'s str> {
    let mut words = sql.split_whitespace().skip(1);
    let word = match operation {
        "UPDATE" => words.next(),
        "INSERT" => after(words, "INTO"),
        "SELECT" | "DELETE" => after(words, "FROM"),
        _ => None,
    }?;
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = word.find(|c| !name(c)).unwrap_or(word.len());
    let (table, rest) = word.split_at(end);
    let whole = rest.is_empty() || rest.starts_with(['(', ')', ',', ';']);
    (whole && (1..=LONGEST).contains(&table.len())).then_some(table)
}

fn after<'s>(mut words: impl Iterator<Item = &'s str>, before: &str) -> Option<&'s str> {
    words.find(|word| word.eq_ignore_ascii_case(before))?;
    words.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_called_by_its_operation_and_table() {
        for (sql, expected) in [
            (
                "SELECT id, n FROM lamp WHERE id = $1",
                ("SELECT", Some("lamp")),
            ),
            ("\n  select 1 from lamp, wick", ("SELECT", Some("lamp"))),
            ("INSERT INTO lamp(id) VALUES ($1)", ("INSERT", Some("lamp"))),
            (
                "insert or ignore into lamp values (1)",
                ("INSERT", Some("lamp")),
            ),
            ("UPDATE lamp SET n = n + 1", ("UPDATE", Some("lamp"))),
            ("DELETE FROM lamp", ("DELETE", Some("lamp"))),
        ] {
            let operation = operation(sql);
            assert_eq!((operation, table(operation, sql)), expected, "{sql}");
        }
    }

    #[test]
    fn what_is_not_simply_known_is_no_name() {
        let long = format!("DELETE FROM {}", "l".repeat(64));
        for (sql, expected) in [
            ("WITH lit AS (SELECT 1) SELECT 1 FROM lit", OTHER),
            ("PRAGMA optimize", OTHER),
            ("", OTHER),
            ("SELECT 1", "SELECT"),
            ("SELECT n FROM (SELECT 1 AS n)", "SELECT"),
            ("SELECT n FROM \"a lamp\"", "SELECT"),
            ("UPDATE", "UPDATE"),
            (&long, "DELETE"),
        ] {
            let operation = operation(sql);
            assert_eq!(
                (operation, table(operation, sql)),
                (expected, None),
                "{sql}"
            );
        }
    }
}
