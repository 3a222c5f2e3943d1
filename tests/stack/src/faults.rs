//! Faults on demand in the running services: set, listed and cleared through each instance's admin listener.
//!
//! Each ends by itself, whatever becomes of the run or of whoever set it.
//! What a fault may be is the service's to say (`shared/service/src/faults/written.rs`); its refusal is passed on as it is.

use hyper::Method;
use serde_json::Value;

use crate::desk::operate;
use crate::error::Error;
use crate::instance::Instance;
use crate::stack::Stack;

/// Where an admin listener keeps them.
const FAULTS: &str = "/faults";

/// The faults of one instance.
#[derive(Clone, Debug)]
pub struct Standing {
    pub instance: String,
    /// As its admin listener shows them.
    pub faults: Vec<Value>,
}

impl Stack {
    /// Sets a fault, such as `{"kind": "latency", "ms": 2000, "for_s": 30}`, at one instance or at all running ones of a service; their names.
    pub async fn fault(&self, whom: &str, fault: &Value) -> Result<Vec<String>, Error> {
        let mut struck = Vec::new();
        for instance in self.meant(whom)? {
            operate(instance, Method::POST, FAULTS, Some(fault)).await?;
            struck.push(instance.name().to_owned());
        }
        Ok(struck)
    }

    /// Ends every fault of an instance, of a service, or (`None`) of all that run; how many there were.
    pub async fn clear_faults(&self, whom: Option<&str>) -> Result<u64, Error> {
        let mut cleared = 0;
        for instance in self.meant_or_all(whom)? {
            let said = operate(instance, Method::DELETE, FAULTS, None).await?;
            cleared += said["cleared"].as_u64().unwrap_or(0);
        }
        Ok(cleared)
    }

    /// The instances that have any.
    pub async fn faults(&self) -> Result<Vec<Standing>, Error> {
        let mut standing = Vec::new();
        for instance in self.meant_or_all(None)? {
            let said = operate(instance, Method::GET, FAULTS, None).await?;
            let faults = said["items"].as_array().cloned().unwrap_or_default();
            if !faults.is_empty() {
                let instance = instance.name().to_owned();
                standing.push(Standing { instance, faults });
            }
        }
        Ok(standing)
    }

    fn meant_or_all(&self, whom: Option<&str>) -> Result<Vec<&Instance>, Error> {
        match whom {
            Some(whom) => self.meant(whom),
            None => Ok(self.instances().filter(|one| runs(one)).collect()),
        }
    }

    /// A service's name means its running instances; an instance's name means it, and that it runs.
    fn meant(&self, whom: &str) -> Result<Vec<&Instance>, Error> {
        let of_service: Vec<&Instance> = self
            .instances()
            .filter(|one| one.service == whom && runs(one))
            .collect();
        if !of_service.is_empty() {
            return Ok(of_service);
        }
        let instance = self.instance(whom)?;
        if runs(instance) {
            return Ok(vec![instance]);
        }
        Err(Error::WrongState {
            name: whom.to_owned(),
            state: instance.unit.state().to_string(),
            hint: "a process that does not run cannot be broken".to_owned(),
        })
    }
}

fn runs(instance: &Instance) -> bool {
    instance.unit.process().is_some()
}
