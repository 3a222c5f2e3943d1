//! How many connections each address has.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};

/// The addresses that have connections now; shared by the workers, and locked once at each end of a connection.
#[derive(Debug)]
pub(super) struct Addresses {
    most: Option<NonZeroUsize>,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// The right to one connection; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    address: IpAddr,
    among: Arc<Addresses>,
}

/// The address has as many as it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Addresses {
    /// At most that many for each.
    pub(super) fn new(most: Option<NonZeroUsize>) -> Self {
        Self {
            most,
            open: Mutex::default(),
        }
    }

    /// One more connection of an address; nothing is counted without one, or where there is no limit.
    pub(super) fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Option<Place>, Full> {
        let (Some(address), Some(most)) = (address, self.most) else {
            return Ok(None);
        };
        let mut open = self.lock();
        let count = open.entry(address).or_default();
        if *count >= most.get() {
            return Err(Full);
        }
        *count += 1;
        Ok(Some(Place {
            address,
            among: self.clone(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open
            .lock()
            .expect("no code panics while it holds the addresses")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.among.lock();
        if let Entry::Occupied(mut count) = open.entry(self.address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_own_number_and_gets_it_back() {
        let addresses = Arc::new(Addresses::new(NonZeroUsize::new(2)));
        let [one, two] = ["192.0.2.1", "192.0.2.2"].map(|text| Some(text.parse().unwrap()));
        let first = addresses.take(one).unwrap();
        let _second = addresses.take(one).unwrap();
        assert_eq!(addresses.take(one).unwrap_err(), Full);
        addresses.take(two).unwrap();
        drop(first);
        addresses.take(one).unwrap();
        assert_eq!(addresses.lock().len(), 1, "who left is forgotten");
    }

    #[test]
    fn nobody_is_counted_without_a_limit_or_without_an_address() {
        let unlimited = Arc::new(Addresses::new(None));
        let here = Some([127, 0, 0, 1].into());
        assert!(unlimited.take(here).unwrap().is_none());
        assert!(unlimited.lock().is_empty());
        let limited = Arc::new(Addresses::new(NonZeroUsize::new(1)));
        assert!(limited.take(None).unwrap().is_none());
        assert!(limited.lock().is_empty());
    }
}
