//! The system that a drill breaks: three instances of each service over two zones, one gateway in zone a, and a load on it.

use std::ops::Deref;
use std::time::Duration;

use hyper::Method;
use serde_json::json;
use tokio::time::Instant;

use super::findings::Findings;
use super::metrics;
use super::terms::Terms;
use crate::builder::Builder;
use crate::client::Client;
use crate::desk::operate;
use crate::error::Error;
use crate::instance::Instance;
use crate::load::{Journey, Load, Plan};
use crate::stack::Stack;
use crate::wait;

/// Two of each service in the gateway's own zone, one in the other.
const ZONES: [(&str, usize); 2] = [("a", 2), ("b", 1)];

/// The load that the promises are made for, in requests a second.
pub const RATE: f64 = 500.0;
/// What a shared machine of CI paces honestly.
pub const SHORT_RATE: f64 = 150.0;

/// Traces of all requests would cost the machine more than what is measured.
const SAMPLED: &str = "0.01";

/// No load of a drill is longer, whatever becomes of the rest.
const LONGEST: Duration = Duration::from_secs(900);

/// A system that is taken down at the end.
pub struct Ground {
    stack: Stack,
    terms: Terms,
}

impl Ground {
    pub async fn start(name: &str, terms: &Terms) -> Result<Self, Error> {
        Self::with(name, terms, |wishes| wishes).await
    }

    pub async fn with(
        name: &str,
        terms: &Terms,
        wishes: impl FnOnce(Builder) -> Builder,
    ) -> Result<Self, Error> {
        let mut builder = Stack::builder()
            .state(format!("stack-drill/{name}"))
            .zones(ZONES.map(|(zone, _)| zone))
            .build(terms.build)
            .reporter(terms.reporter.clone())
            .set("LICTOR_TELEMETRY__SAMPLE_RATIO", SAMPLED)
            .set("LICTOR_FAULTS__ENABLED", "true");
        for (zone, count) in ZONES {
            builder = builder.instances_in(zone, count);
        }
        Ok(Self {
            stack: wishes(builder).start().await?,
            terms: terms.clone(),
        })
    }

    pub fn say(&self, what: impl Into<String>) {
        self.terms.reporter.say(what);
    }

    /// Says what is done now, and marks it in the load's report.
    pub fn mark(&self, load: &Load, what: impl Into<String>) {
        let what = what.into();
        self.say(format!("{:>6.1} s  {what}", load.elapsed().as_secs_f64()));
        load.mark(what);
    }

    /// A journey's load that remembers, until it is ended.
    pub fn load(&self, rate: f64, journey: Journey) -> Load {
        let plan = Plan {
            rate,
            duration: LONGEST,
        };
        Load::remembering(plan, self.stack.load_client(), journey)
    }

    /// The same by clients that wait much longer than people do.
    pub fn patient_load(&self, rate: f64, journey: Journey, patience: Duration) -> Load {
        let plan = Plan {
            rate,
            duration: LONGEST,
        };
        Load::patient(plan, self.stack.load_client(), journey, patience)
    }

    /// `auto`, `observe`, `disabled` or `forced_open`, at the gateway.
    pub async fn breaker_mode(&self, upstream: &str, mode: &str) -> Result<(), Error> {
        let path = format!("/upstreams/{upstream}/breaker");
        let wish = json!({ "mode": mode });
        operate(self.gateway(), Method::PUT, &path, Some(&wish)).await?;
        Ok(())
    }

    /// The same at every process that calls this upstream, through Consul's KV.
    pub async fn breaker_mode_everywhere(&self, upstream: &str, mode: &str) -> Result<(), Error> {
        let path = format!("/v1/kv/lictor/breakers/{upstream}");
        let consul = Client::new(self.stack.consul().address());
        let put = consul.put(&path, &json!({ "mode": mode })).await;
        match put {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(Error::Other(format!("{path}: {}", answer.text()))),
            Err(failure) => Err(Error::Other(format!("{path}: {failure}"))),
        }
    }

    /// The gateway's breaker of an upstream, and when it last changed in the time of the load.
    pub async fn breaker(&self, upstream: &str, load: &Load) -> Result<(String, Duration), Error> {
        let view = metrics::view(self.gateway(), "/upstreams").await?;
        let now = load.elapsed();
        let upstreams = view["upstreams"].as_array();
        let found = upstreams.into_iter().flatten();
        let breaker = found
            .filter(|one| one["name"] == upstream)
            .map(|one| &one["breaker"])
            .next()
            .ok_or_else(|| Error::Other(format!("the gateway knows no upstream {upstream}")))?;
        let state = breaker["state"].as_str().unwrap_or_default().to_owned();
        let ago = breaker["last_transition"]["ago_ms"].as_u64();
        let changed = ago.map(|ago| now.saturating_sub(Duration::from_millis(ago)));
        Ok((state, changed.unwrap_or_default()))
    }

    /// Waits for a state of the gateway's breaker; since when it is in it.
    pub async fn until_breaker(
        &self,
        upstream: &str,
        wanted: &str,
        load: &Load,
        limit: Duration,
    ) -> Result<Duration, Error> {
        let what = format!("the breaker of {upstream} to be {wanted}");
        wait::until(&what, limit, || async {
            match self.breaker(upstream, load).await {
                Ok((state, since)) if state == wanted => Ok(since),
                Ok((state, _)) => Err(state),
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    }

    /// Starts whatever does not run.
    pub async fn all_running(&self) -> Result<(), Error> {
        for (zone, _) in ZONES {
            self.stack.zone_up(zone).await?;
        }
        Ok(())
    }

    /// Consul's id of an instance, as answers name it.
    pub async fn id(&self, instance: &Instance) -> Result<String, Error> {
        let registered = self.stack.registered().await.map_err(Error::Other)?;
        let here = |id: &crate::consul::Registered| id.address == instance.addresses.public;
        registered
            .into_iter()
            .find(here)
            .map(|one| one.id)
            .ok_or_else(|| Error::Other(format!("{} is not registered", instance.name())))
    }

    /// Drains everything; what had to be killed is a broken promise.
    pub async fn stop(self, findings: &mut Findings) {
        let all = self.stack.instances().count() + 1;
        let logs = self.stack.place().logs().display().to_string();
        findings.saw(format!("logs: {logs}"));
        let killed = self.stack.stop().await;
        findings.promise(
            "processes that did not end when asked",
            "0",
            if killed.is_empty() {
                "0".to_owned()
            } else {
                killed.join(", ")
            },
            all,
            killed.is_empty(),
        );
    }
}

impl Deref for Ground {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        &self.stack
    }
}

/// Lets the load run for a while.
pub async fn pass(time: Duration) {
    tokio::time::sleep_until(Instant::now() + time).await;
}
