//! One instance of a service or of the gateway: its name, its place in a zone, its three addresses, and the environment it is started with.
//!
//! Addresses belong to the instance, not to its process: they are the same after a restart.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::place::Place;
use crate::ports;
use crate::process::{Process, Program};
use crate::reporter::Reporter;
use crate::unit::Unit;

/// Natively everything that must learn of a drain is on this machine and learns of it in milliseconds; the shipped 3 s would only make Ctrl-C slow.
const DRAIN_PROPAGATION_MS: u32 = 1000;

/// Long enough for any answer of the shop, short enough for a person who waits.
const DRAIN_DEADLINE_MS: u32 = 5000;

/// How long a process may take from SIGTERM to its end: the two above, 2 s for telemetry, and some.
pub const DRAIN: Duration = Duration::from_secs(10);

/// The admin token, as a process is told it.
pub(crate) const ADMIN_TOKEN: &str = "LICTOR_SERVER__ADMIN_TOKEN";

/// One instance and its process.
#[derive(Debug)]
pub struct Instance {
    pub unit: Arc<Unit>,
    pub service: String,
    pub zone: String,
    pub addresses: Addresses,
}

/// The three listeners of every process.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    pub public: SocketAddr,
    pub ops: SocketAddr,
    pub admin: SocketAddr,
}

/// What all processes of a run are told.
#[derive(Clone, Debug)]
pub struct Surroundings {
    pub consul: String,
    pub otlp: String,
    pub admin_token: String,
    /// More settings for all, or for those of one name, a service's or an instance's: `LICTOR_...`.
    pub extra: Vec<(Option<String>, String, String)>,
}

impl Addresses {
    /// Where people expect the gateway.
    pub const WELL_KNOWN_PUBLIC: u16 = 8080;

    /// The well-known ones of a gateway when they are free.
    pub fn well_known() -> Self {
        Self {
            public: ports::preferred(Self::WELL_KNOWN_PUBLIC),
            ops: ports::preferred(8081),
            admin: ports::preferred(8082),
        }
    }

    pub fn any() -> Self {
        Self {
            public: ports::any(),
            ops: ports::any(),
            admin: ports::any(),
        }
    }
}

impl Instance {
    /// An instance of `service`; its database is shared with the others of that service.
    pub fn service(
        place: &Place,
        service: &str,
        zone: &str,
        number: usize,
        around: &Surroundings,
        reporter: &Reporter,
    ) -> Self {
        let name = format!("{service}-{zone}{number}");
        let addresses = Addresses::any();
        let mut env = environment(&name, service, zone, &addresses, around);
        let store = format!(
            "sqlite://{}",
            place.data().join(format!("{service}.db")).display()
        );
        env.entry("LICTOR_STORE__URL".to_owned()).or_insert(store);
        Self::new(
            place,
            name,
            service,
            zone,
            addresses,
            env,
            Vec::new(),
            reporter,
        )
    }

    /// A gateway, with the overlay that holds the keys of this run.
    pub fn gateway(
        place: &Place,
        zone: &str,
        number: usize,
        addresses: Addresses,
        around: &Surroundings,
        reporter: &Reporter,
    ) -> Self {
        let service = crate::binaries::GATEWAY;
        let name = format!("{service}-{number}");
        let env = environment(&name, service, zone, &addresses, around);
        let args = vec!["--config".into(), place.overlay().into()];
        Self::new(place, name, service, zone, addresses, env, args, reporter)
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "the two constructors above are the public ones"
    )]
    fn new(
        place: &Place,
        name: String,
        service: &str,
        zone: &str,
        addresses: Addresses,
        env: BTreeMap<String, String>,
        args: Vec<std::ffi::OsString>,
        reporter: &Reporter,
    ) -> Self {
        let program = Program {
            path: place.binary(service),
            log: place.log(&name),
            name,
            args,
            env,
        };
        Self {
            unit: Arc::new(Unit::new(program, reporter.clone())),
            service: service.to_owned(),
            zone: zone.to_owned(),
            addresses,
        }
    }

    pub fn name(&self) -> &str {
        self.unit.name()
    }

    pub fn start(&self) -> Result<Process, Error> {
        let process = self.unit.start()?;
        self.unit.watch(process.clone());
        Ok(process)
    }
}

fn environment(
    name: &str,
    service: &str,
    zone: &str,
    addresses: &Addresses,
    around: &Surroundings,
) -> BTreeMap<String, String> {
    let mut env = BTreeMap::from(
        [
            ("SERVER__PUBLIC", addresses.public.to_string()),
            ("SERVER__OPS", addresses.ops.to_string()),
            ("SERVER__ADMIN", addresses.admin.to_string()),
            ("IDENTITY__ZONE", zone.to_owned()),
            ("IDENTITY__ENVIRONMENT", "native".to_owned()),
            ("SERVER__ADMIN_TOKEN", around.admin_token.clone()),
            ("CONSUL__ADDRESS", around.consul.clone()),
            ("TELEMETRY__OTLP_ENDPOINT", around.otlp.clone()),
            ("DRAIN__PROPAGATION_MS", DRAIN_PROPAGATION_MS.to_string()),
            ("DRAIN__DEADLINE_MS", DRAIN_DEADLINE_MS.to_string()),
        ]
        .map(|(key, value)| (format!("LICTOR_{key}"), value)),
    );
    for (only, key, value) in &around.extra {
        if only
            .as_deref()
            .is_none_or(|only| only == service || only == name)
        {
            env.insert(key.clone(), value.clone());
        }
    }
    env
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn around() -> Surroundings {
        let extra = vec![(
            Some("orders".to_owned()),
            "LICTOR_FAULTS__ENABLED".to_owned(),
            "true".to_owned(),
        )];
        Surroundings {
            consul: "http://127.0.0.1:8500".into(),
            otlp: "http://127.0.0.1:4318".into(),
            admin_token: "of-tests".into(),
            extra,
        }
    }

    #[test]
    fn instances_of_a_service_share_its_database_and_nothing_else() {
        let place = Place::find().unwrap();
        let [first, second] = [1, 2]
            .map(|n| Instance::service(&place, "users", "a", n, &around(), &Reporter::silent()));
        let store = |instance: &Instance| instance.unit.program().env["LICTOR_STORE__URL"].clone();
        assert_eq!(store(&first), store(&second));
        assert_ne!(first.addresses.public, second.addresses.public);
        assert_eq!(second.name(), "users-a2");
    }

    #[test]
    fn a_setting_for_one_service_or_instance_reaches_only_that_one() {
        let place = Place::find().unwrap();
        let mut around = around();
        let (_, key, value) = around.extra[0].clone();
        around.extra.push((Some("users-a2".to_owned()), key, value));
        let told = |service, number| {
            let instance =
                Instance::service(&place, service, "a", number, &around, &Reporter::silent());
            instance
                .unit
                .program()
                .env
                .contains_key("LICTOR_FAULTS__ENABLED")
        };
        assert!(told("orders", 1) && !told("users", 1) && told("users", 2));
    }
}
