//! The start order, once, as a list.
//!
//! Consul comes up while cargo looks whether there is anything to build; everything else starts together when both are done.
//! What fails on the way takes down what was started.

use std::time::{Duration, Instant};

use crate::binaries;
use crate::builder::Builder;
use crate::companions::Companions;
use crate::consul::Consul;
use crate::control;
use crate::error::Error;
use crate::instance::{Addresses, Instance, Surroundings};
use crate::jaeger::Jaeger;
use crate::keys::Keys;
use crate::parts;
use crate::place::Place;
use crate::ports;
use crate::prometheus::Prometheus;
use crate::record::{Child, Lock, Record};
use crate::sink::Sink;
use crate::stack::{Parts, Stack};
use crate::wait;

/// Everything registered and answering; usual is 1 to 3 s, a loaded machine of CI needs more.
const READY: Duration = Duration::from_secs(60);

/// The route asked for the first answer: one service, no identifiers.
const FIRST: &str = "/api/inventory/items";

/// What a start took, from its beginning.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timings {
    pub built: Duration,
    pub consul: Duration,
    pub registered: Duration,
    pub first_answer: Duration,
    pub settled: Duration,
}

pub async fn start(wishes: Builder) -> Result<Stack, Error> {
    let begin = Instant::now();
    let mut place = Place::find()?.with_state(&wishes.state);
    if let Some(folder) = &wishes.binaries {
        place = place.with_binaries(folder);
    }
    let (lock, left) = Lock::take(&place)?;
    if !left.is_empty() {
        wishes.reporter.say(format!(
            "ended what an earlier run had left behind: {}",
            left.join(", ")
        ));
    }
    prepare(&place, &wishes)?;
    let keys = Keys::generate();
    let overlay = place.overlay();
    write_secret(&overlay, &keys.overlay())
        .map_err(Error::io(format!("writing {}", overlay.display())))?;

    let binary = parts::CONSUL.get(&place, &wishes.reporter).await?;
    wishes.reporter.say(format!("consul {}", binary.way));
    let address = if wishes.well_known_ports {
        ports::preferred(8500)
    } else {
        ports::any()
    };
    let consul = Consul::prepare(&place, binary.path, address, &wishes.reporter)?;
    let companions = Companions::prepare(
        &place,
        &wishes.companions,
        consul.address(),
        wishes.well_known_ports,
        &wishes.reporter,
    )
    .await?;
    let collector = wishes
        .otlp
        .clone()
        .or(companions.jaeger.as_ref().map(Jaeger::otlp));
    let sink = match collector {
        Some(_) => None,
        None => Some(
            Sink::start(if wishes.well_known_ports {
                ports::preferred(4318)
            } else {
                ports::any()
            })
            .await?,
        ),
    };
    let otlp = collector
        .or(sink.as_ref().map(Sink::url))
        .expect("one of the two is there");
    let around = Surroundings {
        consul: consul.url(),
        otlp,
        admin_token: keys.admin_token.clone(),
        extra: wishes.extra.clone(),
    };
    let (gateways, services) = instances(&place, &wishes, &around);

    let parts = Parts {
        place,
        _lock: lock,
        keys,
        consul,
        sink,
        companions,
        gateways,
        services,
        reporter: wishes.reporter.clone(),
    };
    let stack = Stack::new(parts);
    match bring_up(&stack, &wishes, begin).await {
        Ok(timings) => {
            stack.started(timings);
            Ok(stack)
        }
        Err(error) => {
            stack.abandon();
            Err(error)
        }
    }
}

async fn bring_up(stack: &Stack, wishes: &Builder, begin: Instant) -> Result<Timings, Error> {
    let mut timings = Timings::default();
    let (consul, place) = (stack.consul(), stack.place());
    // Written as soon as something runs: a build takes minutes, and who is killed meanwhile leaves these behind.
    consul.start(true)?;
    stack.write_record()?;
    stack.companions().spawn()?;
    stack.write_record()?;
    let building = async {
        if wishes.build {
            binaries::build(place, wishes.show_build, &wishes.reporter).await?;
        }
        binaries::check(place).map(|()| begin.elapsed())
    };
    let electing = async { consul.leader().await.map(|()| begin.elapsed()) };
    let companions = stack.companions().ready();
    ((timings.built, timings.consul), ()) =
        tokio::try_join!(async { tokio::try_join!(building, electing) }, companions)?;

    for instance in stack.instances() {
        instance.start()?;
    }
    stack.write_record()?;
    control::serve(stack)?;
    let registered = async { stack.all_passing().await.map(|()| begin.elapsed()) };
    let answering = async { first_answer(stack).await.map(|()| begin.elapsed()) };
    (timings.registered, timings.first_answer) = tokio::try_join!(registered, answering)?;
    stack.all_seen().await?;
    timings.settled = begin.elapsed();
    Ok(timings)
}

async fn first_answer(stack: &Stack) -> Result<(), Error> {
    let client = stack.load_client();
    wait::until("an answer through the gateway", READY, || async {
        if let Some(error) = stack.died() {
            return Ok(Err(error));
        }
        let answer = client
            .get(FIRST)
            .await
            .map_err(|failure| failure.to_string())?;
        if answer.status == 200 {
            Ok(Ok(()))
        } else {
            Err(format!("{} {}", answer.status, answer.text()))
        }
    })
    .await?
}

/// Directories; old logs go, old data goes when a fresh run is wanted.
fn prepare(place: &Place, wishes: &Builder) -> Result<(), Error> {
    let _ = std::fs::remove_dir_all(place.logs());
    if wishes.fresh {
        let _ = std::fs::remove_dir_all(place.data());
    }
    for folder in [place.logs(), place.data()] {
        std::fs::create_dir_all(&folder)
            .map_err(Error::io(format!("creating {}", folder.display())))?;
    }
    Ok(())
}

fn instances(
    place: &Place,
    wishes: &Builder,
    around: &Surroundings,
) -> (Vec<Instance>, Vec<Instance>) {
    let gateways = (0..wishes.gateways).map(|index| {
        let zone = &wishes.zones[index % wishes.zones.len()];
        let addresses = if index == 0 && wishes.well_known_ports {
            Addresses::well_known()
        } else {
            Addresses::any()
        };
        Instance::gateway(place, zone, index + 1, addresses, around, &wishes.reporter)
    });
    let services = wishes.services.iter().flat_map(|service| {
        let places = wishes
            .zones
            .iter()
            .flat_map(|zone| (1..=wishes.instances_of(zone)).map(move |number| (zone, number)));
        places.map(move |(zone, number)| {
            Instance::service(place, service, zone, number, around, &wishes.reporter)
        })
    });
    (gateways.collect(), services.collect())
}

impl Stack {
    /// Who runs, for a second shell; written again whenever a process is started.
    pub(crate) fn write_record(&self) -> Result<(), Error> {
        let consul = std::iter::once(&self.consul().unit);
        let watching = self.companions().units().map(|(unit, _)| unit);
        let units = consul
            .chain(self.instances().map(|instance| &instance.unit))
            .chain(watching);
        let children = units.filter_map(|unit| {
            unit.process()
                .map(|process| Child::new(unit.name(), process.pid()))
        });
        let gateway = self.gateway().addresses;
        let record = Record {
            pid: std::process::id(),
            gateway: gateway.public,
            gateway_ops: gateway.ops,
            gateway_admin: gateway.admin,
            consul: self.consul().address(),
            prometheus: self
                .companions()
                .prometheus
                .as_ref()
                .map(Prometheus::address),
            jaeger: self.companions().jaeger.as_ref().map(Jaeger::address),
            control: self.place().control_socket(),
            keys: self.keys().clone(),
            children: children.collect(),
        };
        record.write(self.place())
    }
}

/// Readable by nobody else: the file holds the admin token.
fn write_secret(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())
}
