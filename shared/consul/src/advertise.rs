//! The address under which others reach this process, when none is configured.
//!
//! A wildcard cannot be registered, and guessing among the interfaces of a host goes wrong on the first one with two.
//! The kernel knows: the local address of a UDP socket connected towards Consul is the one that Consul's side of the
//! network can answer to, and it is loopback exactly when Consul itself is on loopback.
//! No packet is sent.

use std::io;
use std::net::{IpAddr, UdpSocket};

use crate::config::AgentConfig;

/// The local address that faces the agent. Resolves the agent's host name, so it may block: call it at start.
///
/// # Errors
///
/// When the agent's address is not usable, its name does not resolve, or no route leads to it.
pub fn advertised_address(config: &AgentConfig) -> io::Result<IpAddr> {
    let agent = config
        .address()
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let towards = |wildcard: &str| {
        let socket = UdpSocket::bind((wildcard, 0))?;
        socket.connect((agent.host.as_str(), agent.port))?;
        socket.local_addr()
    };
    let local = towards("0.0.0.0").or_else(|_| towards("::"))?;
    Ok(local.ip().to_canonical())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_agent_on_loopback_is_faced_by_loopback() {
        let config = AgentConfig::default();
        assert_eq!(
            advertised_address(&config).unwrap(),
            IpAddr::from([127, 0, 0, 1])
        );
    }

    #[test]
    fn an_unusable_address_is_an_error() {
        let config = AgentConfig {
            address: "ftp://consul".to_owned(),
            ..AgentConfig::default()
        };
        assert!(advertised_address(&config).is_err());
    }
}
