//! What Prometheus is told: the repository's configuration, with a run's addresses in it.
//!
//! `observability/prometheus/prometheus.yml` is written for compose; the copy differs in four literals, which its head names.

use std::net::SocketAddr;
use std::path::Path;

/// Where those are that the configuration names.
#[derive(Clone, Copy, Debug)]
pub struct Neighbours {
    pub consul: SocketAddr,
    /// Jaeger's metrics from spans; a target that is down where no Jaeger runs.
    pub span_metrics: SocketAddr,
}

/// The repository's configuration for this run.
pub(super) fn of_this_run(
    text: &str,
    folder: &Path,
    own: SocketAddr,
    neighbours: Neighbours,
) -> String {
    text.replace("\"consul:8500\"", &format!("\"{}\"", neighbours.consul))
        .replace(
            "\"jaeger:8889\"",
            &format!("\"{}\"", neighbours.span_metrics),
        )
        .replace("\"localhost:9090\"", &format!("\"{own}\""))
        .replace(
            "\"rules/*.yml\"",
            &format!("\"{}\"", folder.join("rules/*.yml").display()),
        )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::place::Place;

    #[test]
    fn the_copy_names_this_run_and_nothing_of_compose() {
        let place = Place::find().unwrap();
        let folder = place.root().join("observability/prometheus");
        let text = std::fs::read_to_string(folder.join("prometheus.yml")).unwrap();
        let neighbours = Neighbours {
            consul: "127.0.0.1:1500".parse().unwrap(),
            span_metrics: "127.0.0.1:1889".parse().unwrap(),
        };
        let own = "127.0.0.1:1090".parse().unwrap();
        let copy = of_this_run(&text, &folder, own, neighbours);
        let settings = || {
            copy.lines()
                .filter(|line| !line.trim_start().starts_with('#'))
        };
        for gone in ["consul:8500", "jaeger:8889", "localhost:9090", "\"rules/"] {
            assert!(!settings().any(|line| line.contains(gone)), "{copy}");
        }
        let consul = settings().filter(|line| line.contains("\"127.0.0.1:1500\""));
        assert_eq!(consul.count(), 2, "to find targets, and as one: {copy}");
        for there in ["\"127.0.0.1:1889\"", "\"127.0.0.1:1090\""] {
            assert!(settings().any(|line| line.contains(there)), "{copy}");
        }
    }
}
