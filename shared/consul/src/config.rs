//! Where the agent is, and what of its catalogue is believed.
//!
//! The section is parsed and checked here; [`crate::Agent::new`] builds the client from it.
//! Only plain `http` is spoken: an agent is a neighbour on the same host or pod, and an address with another scheme is
//! refused at start instead of failing on every call.

use std::net::IpAddr;
use std::path::PathBuf;

use awc::http::Uri;
use serde::Deserialize;

use crate::networks::{self, Network, Networks};

/// The `[consul]` section of a process's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentConfig {
    /// The agent's HTTP address, such as `http://127.0.0.1:8500`.
    pub address: String,
    /// A file that holds the ACL token; without it `CONSUL_HTTP_TOKEN` is used, when set.
    pub token_file: Option<PathBuf>,
    /// Address ranges in which an instance is believed.
    /// Loopback is added when `address` is on loopback; link-local and metadata addresses are refused in any case.
    pub allowed_networks: Vec<Network>,
}

/// A value of the section that cannot work.
#[derive(Debug, thiserror::Error)]
#[error("{key} = {value:?}: {reason}")]
pub struct InvalidConfig {
    /// The key inside the section.
    pub key: &'static str,
    /// The value that was given.
    pub value: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The agent's address, known to be usable.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) base: String,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Consul's own default for its HTTP listener.
const DEFAULT_PORT: u16 = 8500;

// ---

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            address: format!("http://127.0.0.1:{DEFAULT_PORT}"),
            token_file: None,
            allowed_networks: networks::private(),
        }
    }
}

impl AgentConfig {
    pub(crate) fn address(&self) -> Result<Address, InvalidConfig> {
        let invalid = |reason: &str| InvalidConfig {
            key: "address",
            value: self.address.clone(),
            reason: reason.to_owned(),
        };
        let uri: Uri = self
            .address
            .parse()
            .map_err(|_| invalid("not an address such as http://127.0.0.1:8500"))?;
        if uri.scheme_str() != Some("http") {
            return Err(invalid("only http:// is supported"));
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err(invalid("must end after the port"));
        }
        let authority = uri.authority().ok_or_else(|| invalid("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(invalid("must not hold credentials"));
        }
        let port = authority.port_u16().unwrap_or(DEFAULT_PORT);
        let host = authority.host();
        Ok(Address {
            base: format!("http://{host}:{port}"),
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
        })
    }

    pub(crate) fn networks(&self) -> Result<Networks, InvalidConfig> {
        Ok(Networks::new(
            self.allowed_networks.clone(),
            self.address()?.is_loopback(),
        ))
    }
}

impl Address {
    fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn at(address: &str) -> AgentConfig {
        AgentConfig {
            address: address.to_owned(),
            ..AgentConfig::default()
        }
    }

    #[test]
    fn the_default_is_the_agent_on_this_host() {
        let address = AgentConfig::default().address().unwrap();
        assert_eq!(
            (address.base.as_str(), address.port),
            ("http://127.0.0.1:8500", 8500)
        );
        assert!(address.is_loopback());
    }

    #[test]
    fn a_missing_port_is_consul_s_own() {
        assert_eq!(
            at("http://consul").address().unwrap().base,
            "http://consul:8500"
        );
        assert_eq!(at("http://[::1]/").address().unwrap().host, "::1");
    }

    #[test]
    fn an_address_that_cannot_work_is_refused_with_key_value_and_reason() {
        for address in [
            "https://consul:8501",
            "consul:8500",
            "",
            "http://",
            "http://consul/ui",
            "http://u:p@consul",
        ] {
            let error = at(address).address().unwrap_err();
            assert_eq!((error.key, error.value.as_str()), ("address", address));
        }
    }

    #[test]
    fn unknown_keys_are_refused() {
        let parsed: Result<AgentConfig, _> =
            serde_json::from_str(r#"{ "adress": "http://127.0.0.1:8500" }"#);
        assert!(parsed.is_err());
        let parsed: Result<AgentConfig, _> =
            serde_json::from_str(r#"{ "allowed_networks": ["10.0.0.0/99"] }"#);
        assert!(parsed.unwrap_err().to_string().contains("10.0.0.0/99"));
    }
}
