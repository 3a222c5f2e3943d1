//! The server's side of a drill: what a process counts of itself, read from `/metrics` on its ops listener and from its admin views.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::client::Client;
use crate::error::Error;
use crate::instance::Instance;

/// Every series of a process at one moment.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Vec<Series>);

#[derive(Clone, Debug)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Metrics {
    pub async fn of(instance: &Instance) -> Result<Self, Error> {
        let client = Client::new(instance.addresses.ops);
        let answer = client
            .get("/metrics")
            .await
            .map_err(|failure| Error::Other(format!("{}: {failure}", instance.name())))?;
        Ok(Self::parse(&answer.text()))
    }

    fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(series).collect())
    }

    /// The sum over all series of this name that carry these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |series: &&Series| {
            let carries = |(label, value): &(&str, &str)| {
                series
                    .labels
                    .get(*label)
                    .is_some_and(|found| found == value)
            };
            series.name == name && labels.iter().all(carries)
        };
        let found = self.0.iter().filter(fits);
        // `sum` of nothing is -0.
        found.fold(0.0, |sum, series| sum + series.value)
    }
}

/// What an admin view shows.
pub async fn view(instance: &Instance, path: &str) -> Result<Value, Error> {
    let client = Client::new(instance.addresses.admin);
    let answer = client
        .get(path)
        .await
        .map_err(|failure| Error::Other(format!("{}: {failure}", instance.name())))?;
    Ok(answer.json())
}

/// `name{label="value",other="value"} 1.5`; no value of ours holds a comma or a quote.
fn series(line: &str) -> Option<Series> {
    let (name, value) = line
        .split_once(' ')
        .filter(|_| !line.starts_with('#'))
        .filter(|(name, _)| !name.contains('{') || name.ends_with('}'))
        .or_else(|| {
            let end = line.rfind("} ")?;
            Some((&line[..=end], &line[end + 2..]))
        })
        .filter(|_| !line.starts_with('#'))?;
    let (name, labels) = match name.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
        None => (name, ""),
    };
    let labels = labels.split(',').filter_map(|pair| {
        let (label, value) = pair.split_once('=')?;
        Some((label.to_owned(), value.trim_matches('"').to_owned()))
    });
    Some(Series {
        name: name.to_owned(),
        labels: labels.collect(),
        value: value.trim().parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_summed_over_the_labels_that_are_not_named() {
        let metrics = Metrics::parse(
            "# HELP calls all\ncalls{upstream=\"users\",status=\"200\"} 3\n\
             calls{upstream=\"users\",status=\"503\"} 2\ncalls{upstream=\"orders\",status=\"200\"} 7\nplain 4.5\n",
        );
        assert_eq!(metrics.sum("calls", &[("upstream", "users")]), 5.0);
        assert_eq!(metrics.sum("calls", &[("status", "200")]), 10.0);
        assert_eq!(metrics.sum("plain", &[]), 4.5);
        assert_eq!(metrics.sum("absent", &[]), 0.0);
    }

    #[test]
    fn a_route_with_spaces_in_a_label_is_read() {
        let metrics = Metrics::parse("calls{route=\"/a b\"} 1\n");
        assert_eq!(metrics.sum("calls", &[("route", "/a b")]), 1.0);
    }
}
