//! Which addresses Consul may send us to.
//!
//! The catalogue is writable by every service that can reach an agent, so an address from it is input: followed
//! blindly, one entry turns the gateway into a way to the cloud's metadata service.
//! An address must be an IP in an allowed network.
//! Loopback counts as allowed when the agent itself is reached over loopback, which is how a developer's machine looks.
//! Link-local, metadata, multicast and unspecified addresses are refused even when a configured network contains them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::Deserialize;

/// An address range in CIDR notation, such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

/// The text is not an address range.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an address range such as 10.0.0.0/8")]
pub struct InvalidNetwork(String);

/// The allowed ranges together with the loopback rule.
#[derive(Clone, Debug)]
pub(crate) struct Networks {
    allowed: Vec<Network>,
    loopback: bool,
}

/// The private ranges of RFC 1918 and RFC 4193: where services live when nothing else is configured.
pub(crate) fn private() -> Vec<Network> {
    vec![
        Network {
            base: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)),
            prefix: 8,
        },
        Network {
            base: IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)),
            prefix: 12,
        },
        Network {
            base: IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)),
            prefix: 16,
        },
        Network {
            base: IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)),
            prefix: 7,
        },
    ]
}

/// Metadata services outside the link-local ranges: Alibaba's in the shared range, Amazon's inside fc00::/7.
const METADATA: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
];

// ---

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(self.prefix))
                    .unwrap_or(0);
                base.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.prefix))
                    .unwrap_or(0);
                base.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (base, prefix) = text.split_once('/')?;
            let base: IpAddr = base.parse().ok()?;
            let prefix: u8 = prefix.parse().ok()?;
            let longest = if base.is_ipv4() { 32 } else { 128 };
            (prefix <= longest).then_some(Self { base, prefix })
        };
        parse().ok_or_else(|| InvalidNetwork(text.to_owned()))
    }
}

impl TryFrom<String> for Network {
    type Error = InvalidNetwork;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl Networks {
    pub(crate) fn new(allowed: Vec<Network>, loopback: bool) -> Self {
        Self { allowed, loopback }
    }

    /// The address as it may be used, an IPv4 address in IPv6 clothes unwrapped; `None` when it is not allowed.
    pub(crate) fn permit(&self, address: IpAddr) -> Option<IpAddr> {
        let address = address.to_canonical();
        if never(address) {
            return None;
        }
        let allowed = self.loopback && address.is_loopback()
            || self.allowed.iter().any(|network| network.contains(address));
        allowed.then_some(address)
    }
}

fn never(address: IpAddr) -> bool {
    let special = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast() || v4.octets()[0] == 0,
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    special || address.is_unspecified() || address.is_multicast() || METADATA.contains(&address)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn permits(networks: &Networks, address: &str) -> bool {
        networks.permit(address.parse().unwrap()).is_some()
    }

    #[test]
    fn private_ranges_are_allowed_by_default_and_the_internet_is_not() {
        let networks = Networks::new(private(), false);
        for address in [
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "fd12::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(permits(&networks, address), "{address}");
        }
        for address in ["8.8.8.8", "172.32.0.1", "2001:db8::1", "127.0.0.1", "::1"] {
            assert!(!permits(&networks, address), "{address}");
        }
    }

    #[test]
    fn loopback_is_allowed_when_the_agent_is_on_loopback() {
        let networks = Networks::new(private(), true);
        assert!(permits(&networks, "127.0.0.1"));
        assert!(permits(&networks, "::1"));
    }

    #[test]
    fn link_local_and_metadata_addresses_are_refused_whatever_is_configured() {
        let everything = vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
        let networks = Networks::new(everything, true);
        assert!(permits(&networks, "8.8.8.8"));
        for address in [
            "169.254.169.254",
            "100.100.100.200",
            "fd00:ec2::254",
            "fe80::1",
            "::ffff:169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            assert!(!permits(&networks, address), "{address}");
        }
    }

    #[test]
    fn a_mapped_address_is_unwrapped() {
        let networks = Networks::new(private(), false);
        let mapped = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!(networks.permit(mapped), Some("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_range_that_is_none_is_refused() {
        for text in ["10.0.0.0", "10.0.0.0/33", "fc00::/129", "ten/8", "", "/8"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        assert_eq!(
            "10.0.0.0/8".parse::<Network>().unwrap().to_string(),
            "10.0.0.0/8"
        );
    }
}
