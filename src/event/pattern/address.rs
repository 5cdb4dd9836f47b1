//! IP addresses and networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns the address that a text is: IPv4, also with zeros in front, or IPv6 in any spelling without dots. An IPv4
/// address that is mapped into IPv6 is the IPv4 address, as in Java, where the matcher of AWS runs.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        let is_part = |c: char| c.is_ascii_hexdigit() || c == ':';
        let address: Ipv6Addr = text.parse().ok().filter(|_| text.chars().all(is_part))?;
        return Some(IpAddr::V6(address).to_canonical());
    }
    let mut parts = text.split('.').map(byte);
    let octets = [
        parts.next()??,
        parts.next()??,
        parts.next()??,
        parts.next()??,
    ];
    parts
        .next()
        .is_none()
        .then_some(IpAddr::V4(Ipv4Addr::from(octets)))
}

fn byte(text: &str) -> Option<u8> {
    // A number may be parsed with a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Parses `10.0.0.0/24`. The bits after the first ones do not matter.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what to write instead.
    pub(super) fn parse(text: &str) -> Result<Self, (String, &'static str)> {
        const INSTEAD: &str = "write a network as 10.0.0.0/24 or 2001:db8::/32";
        let Some((address_text, bits)) = text.split_once('/') else {
            return Err((format!("{text:?} has no / and number of bits"), INSTEAD));
        };
        let Some(address) = address(address_text) else {
            return Err((format!("{address_text:?} is not an IP address"), INSTEAD));
        };
        let is_number = bits.bytes().all(|byte| byte.is_ascii_digit());
        let Some(bits) = bits.parse::<u32>().ok().filter(|_| is_number) else {
            return Err((format!("{bits:?} is not a number of bits"), INSTEAD));
        };
        let length = if address.is_ipv4() { 32 } else { 128 };
        if bits == length {
            let problem = format!("/{bits} is a single address");
            return Err((problem, "write the address as a string without operator"));
        }
        if bits > length {
            let problem = format!("/{bits} has more bits than the address");
            return Err((problem, "use at most 31 bits for IPv4, 127 for IPv6"));
        }
        Ok(Self { address, bits })
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let different = own.to_bits() ^ other.to_bits();
                // Shifting by all bits leaves nothing to compare.
                different.checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let different = own.to_bits() ^ other.to_bits();
                different.checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}
