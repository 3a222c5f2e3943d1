//! Who this instance is, settled once its ports are reserved: Consul's id of it, the traces'
//! `service.instance.id` and the gateway's name for it are one string.

use crate::StartError;
use crate::config::Common;
use crate::listeners::Reserved;
use std::net::IpAddr;

/// The identity of one running process.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The service's name in Consul.
    pub service: &'static str,
    /// Unique to this boot: `name-host-port-boot`.
    pub instance: String,
    /// Share of traffic against its peers.
    pub weight: u16,
    /// Where it runs.
    pub zone: String,
    /// Version of the binary.
    pub version: &'static str,
    /// Deployment environment.
    pub environment: String,
    /// The address that others reach it at.
    pub address: IpAddr,
    /// Port of the API.
    pub public_port: u16,
    /// Port of `/livez`, `/readyz`, `/metrics`.
    pub ops_port: u16,
}

impl Identity {
    pub(crate) fn settle(
        service: &'static str,
        version: &'static str,
        common: &Common,
        reserved: &Reserved,
    ) -> Result<Self, StartError> {
        let address = match common.server.advertise {
            Some(address) => address,
            None => advertised(common, reserved)?,
        };
        let boot = consul::registration::boot();
        let public_port = reserved.public.address().port();
        Ok(Self {
            service,
            instance: consul::registration::Registration::instance_id(
                service,
                address,
                public_port,
                &boot,
            ),
            weight: common.identity.weight,
            zone: common.identity.zone.clone(),
            version,
            environment: common.identity.environment.clone(),
            address,
            public_port,
            ops_port: reserved.ops.address().port(),
        })
    }
}

/// What the public listener is bound to, or, on a wildcard, the address that faces Consul.
fn advertised(common: &Common, reserved: &Reserved) -> Result<IpAddr, StartError> {
    let bound = reserved.public.address().ip();
    if !bound.is_unspecified() {
        return Ok(bound);
    }
    consul::advertise::advertised_address(&common.consul).map_err(|error| {
        StartError::new(format!(
            "server.advertise: no address faces {}: {error}",
            common.consul.address
        ))
    })
}
