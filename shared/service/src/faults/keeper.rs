//! Does what lasts as long as its fault: connections held, listeners closed; and ends every fault when
//! its time is up, whoever set it and whether or not anybody asks.

use super::{Active, Faults, Kind};
use crate::door::Door;
use crate::store::Store;
use futures_util::future::join_all;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{sleep, sleep_until};

/// Without faults there is nothing to wake up for.
const NEVER: Duration = Duration::from_secs(3600);
/// A door that does not open (its port was taken meanwhile) is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// Runs as long as the process.
pub(crate) async fn keep(faults: Faults, store: Option<Store>, doors: Vec<Rc<Door>>) {
    tokio::join!(
        expire(&faults),
        hold_connections(&faults, store),
        close_doors(&faults, &doors)
    );
}

async fn expire(faults: &Faults) {
    let mut changes = faults.0.active.subscribe();
    loop {
        let active: Arc<[Active]> = changes.borrow_and_update().clone();
        let next = active.iter().map(|one| one.expires).min();
        let next = next.unwrap_or_else(|| Instant::now() + NEVER);
        tokio::select! {
            () = sleep_until(next.into()) => faults.expire(Instant::now()),
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

async fn hold_connections(faults: &Faults, store: Option<Store>) {
    let Some(store) = store else { return };
    loop {
        faults.when(Kind::Connections, true).await;
        faults.injected(Kind::Connections);
        tokio::select! {
            never = store.hold_connections() => match never {},
            () = faults.when(Kind::Connections, false) => {}
        }
    }
}

async fn close_doors(faults: &Faults, doors: &[Rc<Door>]) {
    loop {
        faults.when(Kind::Down, true).await;
        faults.injected(Kind::Down);
        join_all(doors.iter().map(|door| door.close())).await;
        faults.when(Kind::Down, false).await;
        for door in doors {
            while let Err(error) = door.reopen() {
                tracing::error!(%error, "a listener that was closed on purpose does not open");
                sleep(AGAIN).await;
            }
        }
    }
}

impl Faults {
    fn expire(&self, now: Instant) {
        self.change(|active| active.retain(|one| one.expires > now));
    }

    /// Waits until there is a fault of this kind, or none.
    async fn when(&self, kind: Kind, set: bool) {
        let mut active = self.0.active.subscribe();
        let as_wanted =
            |active: &Arc<[Active]>| active.iter().any(|one| one.fault.kind() == kind) == set;
        // The sender lives as long as this handle.
        let _ = active.wait_for(as_wanted).await;
    }
}
