//! What each service says of its API: asked of all at once, kept while they do not answer.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::join_all;
use serde_json::Value;

use crate::{gateway::Worker, openapi::document::Document, route::Target, route::table::Table};

/// Ours have 10 to 20 KiB; more from one service is taken for a mistake.
const MOST_BYTES: usize = 256 * 1024;

/// The services' own documents, by their names.
#[derive(Default)]
pub struct Parts {
    pub known: BTreeMap<Arc<str>, Document>,
    /// Who was asked and has never said anything.
    pub missing: Vec<Arc<str>>,
}

impl Parts {
    /// Asks every service that a route leads to; whether all of them answered.
    pub async fn renew(&mut self, worker: &Worker) -> bool {
        let gateway = &worker.gateway;
        let services = gateway.upstreams.keys();
        let services = services.filter(|name| leads_to(&gateway.routes, name));
        let ask = |name: Arc<str>| async move {
            let told = ask(worker, &name).await;
            (name, told)
        };
        let told = join_all(services.cloned().map(ask)).await;
        let complete = told.iter().all(|(_, told)| told.is_some());
        self.take(told);
        for name in &self.missing {
            gateway.metrics.missing("openapi", name);
        }
        complete
    }

    fn take(&mut self, told: Vec<(Arc<str>, Option<Document>)>) {
        self.missing.clear();
        for (name, told) in told {
            match told {
                Some(document) => drop(self.known.insert(name, document)),
                None if self.known.contains_key(&name) => {}
                None => self.missing.push(name),
            }
        }
    }
}

fn leads_to(routes: &Table, service: &str) -> bool {
    let leads =
        |target: &Target| matches!(target, Target::Upstream { name, .. } if **name == *service);
    routes.iter().any(|route| leads(&route.target))
}

/// Within the time that every call of that service has: a document that lacks a part because whoever asked was in haste would be everybody's.
async fn ask(worker: &Worker, name: &str) -> Option<Document> {
    let (_, transport) = worker.upstream(name);
    let request = transport.calls.get(service::openapi::PATH);
    let refused = match request.send::<Value>().await {
        Ok(told) if told.to_string().len() > MOST_BYTES => "too_long".to_owned(),
        Ok(told) => match Document::read(told) {
            Some(document) => return Some(document),
            None => "wrong_shape".to_owned(),
        },
        Err(error) => error.code.to_string(),
    };
    tracing::warn!(
        service = name,
        code = refused,
        "a service does not say what it answers"
    );
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_is_away_keeps_its_part_and_who_never_was_there_is_missing() {
        let told = |title: &str| Document::read(json!({ "info": { "title": title } }));
        let mut parts = Parts::default();
        parts.take(vec![
            ("users".into(), told("users")),
            ("orders".into(), None),
        ]);
        assert_eq!(parts.missing, ["orders".into()]);
        parts.take(vec![
            ("users".into(), None),
            ("orders".into(), told("orders")),
        ]);
        assert!(parts.missing.is_empty());
        for (name, document) in &parts.known {
            assert_eq!(document.value()["info"]["title"], **name);
        }
        assert_eq!(parts.known.len(), 2);
    }
}
