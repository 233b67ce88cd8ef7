//! From where somebody calls: for the audit of log-ins, and for the limits of
//! what strangers may send.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

/// The address of whoever calls. A proxy on this machine or in its own network
/// (loopback, private, unique local) says for whom it calls: the last address
/// in the last `X-Forwarded-For`, which is the one that it has seen itself.
/// What anybody else says of it may be a lie, and so may what stands before.
#[must_use]
pub fn visitor(peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
    let told =
        headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| {
            value.to_str().ok()?.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
        });
    match (peer.ip().to_canonical(), told) {
        (proxy, Some(told)) if is_near(proxy) => told.to_canonical(),
        (peer, _) => peer,
    }
}

/// Whether an address is of this machine or its own network.
const fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_proxy_says_for_whom_it_calls() {
        let seen = |peer: &str, told: &[&str]| {
            let mut headers = HeaderMap::new();
            for told in told {
                headers.append("x-forwarded-for", told.parse().expect("a header"));
            }
            visitor(peer.parse().expect("an address"), &headers).to_string()
        };
        assert_eq!(seen("203.0.113.7:1", &[]), "203.0.113.7");
        assert_eq!(seen("203.0.113.7:1", &["198.51.100.9"]), "203.0.113.7");
        assert_eq!(seen("127.0.0.1:1", &["198.51.100.9"]), "198.51.100.9");
        assert_eq!(seen("10.0.0.2:1", &["192.0.2.1, 198.51.100.9"]), "198.51.100.9");
        assert_eq!(seen("10.0.0.2:1", &["192.0.2.1", "198.51.100.9"]), "198.51.100.9");
        assert_eq!(seen("10.0.0.2:1", &["nobody"]), "10.0.0.2");
        assert_eq!(seen("[::ffff:10.0.0.2]:1", &["::ffff:198.51.100.9"]), "198.51.100.9");
        assert_eq!(seen("[2001:db8:1:2:3:4:5:6]:1", &[]), "2001:db8:1:2:3:4:5:6");
    }
}
