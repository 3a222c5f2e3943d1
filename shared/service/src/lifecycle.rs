//! The life of a process: the start list and the stop list, each once, in order.
//!
//! Consul is told last on the way up (with a status that the process has just proven on its own
//! socket) and first on the way down. Actix's own signal handling is off: it would close the
//! listeners at once, and connections made a millisecond later would be reset.

use crate::admin::{self, Controls};
use crate::config::{Common, Loaded};
use crate::context::Context;
use crate::door::Door;
use crate::drain::{Drain, Stage};
use crate::faults::{self, Faults};
use crate::guard;
use crate::identity::Identity;
use crate::latch::{Latch, Readiness};
use crate::listeners::Reserved;
use crate::live::{self, Live, Setting};
use crate::ops;
use crate::public::{self, Surroundings};
use crate::runtimes::{Role, Runtimes, Seat};
use crate::spec::{App, Spec, StartError};
use crate::store::Store;
use actix_web::dev::ServerHandle;
use actix_web::rt;
use consul::registration::{self, Registration};
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use telemetry::{LogFilter, Telemetry};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

/// Spans that are still queued get this long at the end.
const FLUSH: Duration = Duration::from_secs(2);
/// Deregistration is worth this wait; Consul notices a dead process by itself.
const DEREGISTER: Duration = Duration::from_secs(2);
/// A process that was told twice ends as a shell reports Ctrl-C.
const TOLD_TWICE: i32 = 130;

/// A process at its end: only its telemetry is left to flush, off the runtime.
pub(crate) struct Stopped {
    telemetry: Telemetry,
}

struct Serving {
    public: Rc<Door>,
    ops: Rc<Door>,
    admin: ServerHandle,
    tasks: Vec<rt::task::JoinHandle<()>>,
    _main: Seat,
}

impl Stopped {
    pub(crate) fn flush(self) {
        self.telemetry.shutdown(FLUSH);
    }
}

/// Lives from reserved sockets to the last answer.
pub(crate) async fn live<S, B, F>(
    spec: Spec<S, B>,
    loaded: Loaded<S>,
    reserved: Reserved,
) -> Result<Stopped, StartError>
where
    B: FnOnce(S, Context) -> F,
    F: Future<Output = Result<App, StartError>>,
{
    let Loaded { common, own } = loaded;
    let mut signals = Signals::listen()?;

    // The start list.
    let registry = prometheus::Registry::new();
    let identity = Identity::settle(spec.name, spec.version, &common, &reserved)?;
    let telemetry = start_telemetry(&common, &identity, &registry)?;
    let readiness = Readiness::default();
    let staying = readiness.latch("staying");
    let healthy = readiness.latch("healthy");
    let gathering = gather(
        &spec,
        &common,
        identity.clone(),
        registry.clone(),
        readiness.clone(),
    );
    // Another process may migrate the store for minutes: whoever waits for it can be told to stop.
    let context = tokio::select! {
        gathered = gathering => gathered?,
        signal = signals.next() => {
            tracing::info!(signal, "stopped before it served");
            return Ok(Stopped { telemetry });
        }
    };
    let mut app = (spec.build)(own, context.clone()).await?;
    let filter = telemetry.log_filter();
    let settings = std::mem::take(&mut app.settings);
    let live = listen_to_operators(settings, &common, &context, filter.clone())?;
    let controls = Controls::new(
        &common.server,
        healthy.clone(),
        filter,
        context.upstreams.clone(),
    );
    let serving = serve(app, &common, &context, controls, reserved)
        .map_err(|error| StartError::new(format!("cannot serve: {error}")))?;
    staying.set();
    healthy.set();
    let registered = register(&context)?;
    tracing::info!(
        instance = identity.instance,
        zone = identity.zone,
        "serving"
    );

    let signal = signals.next().await;
    tracing::info!(signal, "draining");
    rt::spawn(async move {
        signals.next().await;
        std::process::exit(TOLD_TWICE);
    });

    // The stop list.
    context.drain.enter(Stage::Leaving);
    staying.clear();
    registered.stop_reconciling();
    deregister(&registered).await;
    context.drain.enter(Stage::Draining);
    sleep(common.drain.propagation()).await;
    context.drain.enter(Stage::Closing);
    serving.public.stop(true).await;
    serving.tasks.iter().for_each(rt::task::JoinHandle::abort);
    live.abort();
    serving.ops.stop(false).await;
    serving.admin.stop(false).await;
    if let Some(store) = &context.store {
        store.close().await;
    }
    tracing::info!("stopped");
    Ok(Stopped { telemetry })
}

fn start_telemetry(
    common: &Common,
    identity: &Identity,
    registry: &prometheus::Registry,
) -> Result<Telemetry, StartError> {
    let resource = telemetry::Resource {
        service: identity.service.to_owned(),
        version: identity.version.to_owned(),
        instance: identity.instance.clone(),
        zone: identity.zone.clone(),
        environment: identity.environment.clone(),
    };
    Telemetry::start(&common.telemetry, &resource, registry)
        .map_err(|error| StartError::new(format!("telemetry: {error}")))
}

/// Opens the store and starts to watch what the process calls; each is a latch of readiness.
async fn gather<S, B>(
    spec: &Spec<S, B>,
    common: &Common,
    identity: Identity,
    registry: prometheus::Registry,
    readiness: Readiness,
) -> Result<Context, StartError> {
    let agent = consul::Agent::new(&common.consul).map_err(|bad| {
        crate::BadValue::new(format!("consul.{}", bad.key), bad.value, bad.reason)
    })?;
    let watch_metrics = consul::Metrics::register(&registry)?;
    let client_metrics = telemetry::http::ClientMetrics::register(&registry)?;
    let pool_metrics = upstream::Metrics::register(&registry)?;
    let own = consul::watch::spawn(&agent, identity.service, &watch_metrics);
    let mut upstreams = std::collections::BTreeMap::new();
    for (name, settings) in &common.upstreams {
        let view = consul::watch::spawn(&agent, name, &watch_metrics);
        let seen = readiness.latch(format!("first snapshot of {name}"));
        rt::spawn(set_when_synced(view.clone(), seen));
        let local = upstream::Zone::new(&identity.zone);
        let pool = upstream::Pool::new(
            name,
            settings.clone(),
            local,
            view,
            own.clone(),
            pool_metrics.clone(),
        );
        upstreams.insert(name.clone(), pool);
    }
    let drain = Drain::register(&registry)?;
    let faults = Faults::new(&common.faults, spec.migrations.is_some(), &registry)?;
    let store = match spec.migrations {
        Some(migrations) => {
            let open = readiness.latch("store open");
            let store = Store::open(&common.store, migrations, faults.clone(), &registry).await?;
            open.set();
            Some(store)
        }
        None => None,
    };
    Ok(Context {
        faults,
        store,
        upstreams,
        own,
        watch_metrics,
        agent,
        identity,
        registry,
        client_metrics,
        readiness,
        drain,
    })
}

/// Follows the settings in Consul's KV store; it need not be there.
fn listen_to_operators(
    own: Vec<Setting>,
    common: &Common,
    context: &Context,
    filter: LogFilter,
) -> Result<rt::task::JoinHandle<()>, StartError> {
    let mut settings = live::of_every_process(context, filter, &common.telemetry.log);
    settings.extend(own);
    let live = Live::new(settings, &context.registry)?;
    let followed = consul::kv::watch(&context.agent, live::PREFIX, &context.watch_metrics);
    Ok(rt::spawn(live.follow(followed)))
}

async fn set_when_synced(view: consul::View, seen: Latch) {
    view.wait_synced().await;
    seen.set();
}

fn serve(
    app: App,
    common: &Common,
    context: &Context,
    controls: Controls,
    reserved: Reserved,
) -> io::Result<Serving> {
    let metrics =
        telemetry::http::ServerMetrics::register(&context.registry).map_err(io::Error::other)?;
    let runtimes = Runtimes::register(&context.registry).map_err(io::Error::other)?;
    let main = runtimes.join(Role::Main);
    if app.edge.is_some() {
        context.faults.spare_requests();
    }
    let around = Surroundings {
        server: common.server.clone(),
        faults: context.faults.clone(),
        drain: context.drain.clone(),
        metrics,
        connections: guard::metrics::Metrics::register(&context.registry)
            .map_err(io::Error::other)?,
        runtimes,
        edge: app.edge,
        shutdown: common.drain.deadline(),
    };
    let public = Door::open(reserved.public, move |listener| {
        public::serve(listener, app.public.clone(), around.clone())
    })?;
    let (readiness, registry) = (context.readiness.clone(), context.registry.clone());
    let faults = context.faults.clone();
    let ops = Door::open(reserved.ops, move |listener| {
        ops::serve(
            listener,
            readiness.clone(),
            registry.clone(),
            faults.clone(),
        )
    })?;
    let (public, ops) = (Rc::new(public), Rc::new(ops));
    let faults = context.faults.clone();
    let doors = vec![public.clone(), ops.clone()];
    let keeping = faults::keep(faults.clone(), context.store.clone(), doors);
    let admin = admin::serve(reserved.admin.listen()?, controls, faults, app.admin)?;
    let serving = Serving {
        public,
        ops,
        admin: admin.handle(),
        tasks: app
            .tasks
            .into_iter()
            .map(rt::spawn)
            .chain([rt::spawn(keeping)])
            .collect(),
        _main: main,
    };
    rt::spawn(admin);
    Ok(serving)
}

fn register(context: &Context) -> Result<registration::Handle, StartError> {
    let identity = &context.identity;
    let registration = Registration {
        name: identity.service.to_owned(),
        id: identity.instance.clone(),
        address: identity.address,
        port: identity.public_port,
        ops_port: identity.ops_port,
        zone: identity.zone.clone(),
        version: identity.version.to_owned(),
        weight: u32::from(identity.weight),
    };
    let own = (identity.address, identity.ops_port).into();
    let prove = move || async move {
        let asked = actix_web::web::block(move || ops::ask(own)).await;
        matches!(asked, Ok(Ok(true)))
    };
    let metrics = context.watch_metrics.clone();
    Ok(registration::spawn(
        context.agent.clone(),
        registration,
        metrics,
        prove,
    ))
}

async fn deregister(registered: &registration::Handle) {
    match tokio::time::timeout(DEREGISTER, registered.deregister()).await {
        Ok(Ok(())) => tracing::info!("deregistered"),
        Ok(Err(error)) => {
            tracing::warn!(%error, "not deregistered: consul will notice by its check")
        }
        Err(_) => tracing::warn!("not deregistered in time: consul will notice by its check"),
    }
}

/// The two signals that end a process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, StartError> {
        let told = |error: io::Error| StartError::new(format!("signals: {error}"));
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(told)?,
            interrupt: signal(SignalKind::interrupt()).map_err(told)?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
