//! How often somebody may try something of whom nothing is known but the address,
//! or the link of a page: who sends a form, who logs in.

use std::{
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Places for visitors. Two who fall upon one place share what it allows; so
/// what is remembered stays within bounds, whoever comes.
const PLACES: usize = 1 << 14;

/// How often: so many at once, then one after each pause.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// So many.
    pub at_once: u32,
    /// One more after so long.
    pub pause: Duration,
}

impl Pace {
    /// What an address may send: a whole office may sit behind one.
    pub const OF_AN_ADDRESS: Self = Self { at_once: 40, pause: Duration::from_secs(2) };

    /// What comes by one link: one customer has it.
    pub const OF_A_LINK: Self = Self { at_once: 8, pause: Duration::from_secs(10) };

    /// How often an address may try to log in, as whomever: a whole office does so
    /// in the morning; who tries the passwords of many users does so for hours.
    pub(crate) const OF_LOG_INS: Self = Self { at_once: 50, pause: Duration::from_secs(5) };
}

/// When each visitor has sent something.
#[derive(Debug)]
pub struct Visitors {
    /// Until when, in microseconds, a place's allowance is used up: the
    /// "theoretical arrival time" of the generic cell rate algorithm.
    places: Box<[AtomicU64]>,
    /// Drawn anew at each start, so that nobody can choose somebody's place.
    hasher: RandomState,
}

impl Default for Visitors {
    fn default() -> Self {
        let places = (0..PLACES).map(|_| AtomicU64::new(0)).collect();
        Self { places, hasher: RandomState::new() }
    }
}

impl Visitors {
    /// Whether somebody may send something now, by a clock of microseconds;
    /// if so, it counts.
    pub fn may_send(&self, who: &[u8], pace: Pace, now: u64) -> bool {
        let pause = u64::try_from(pace.pause.as_micros()).unwrap_or(u64::MAX);
        let most_ahead = pause.saturating_mul(u64::from(pace.at_once.saturating_sub(1)));
        let hash = usize::try_from(self.hasher.hash_one(who) % PLACES as u64).unwrap_or(0);
        let Some(place) = self.places.get(hash) else { return false };
        place
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |until| {
                let until = until.max(now);
                (until - now <= most_ahead).then(|| until.saturating_add(pause))
            })
            .is_ok()
    }
}

/// The network of an address: one household has many addresses of IPv6, all of one
/// network.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_at_once_then_one_after_each_pause() {
        let visitors = Visitors::default();
        let pace = Pace { at_once: 3, pause: Duration::from_secs(10) };
        let may = |seconds: u64| visitors.may_send(b"anna", pace, 1_000_000 * seconds);
        assert_eq!([may(100), may(100), may(100), may(100)], [true, true, true, false]);
        assert_eq!([may(109), may(110), may(111)], [false, true, false]);
        // After a while it is as at the beginning; it never becomes more.
        assert_eq!([may(900), may(900), may(900), may(900)], [true, true, true, false]);
    }

    #[test]
    fn one_visitor_does_not_use_up_what_another_may() {
        let visitors = Visitors::default();
        let pace = Pace { at_once: 1, pause: Duration::from_secs(10) };
        assert!(visitors.may_send(b"anna", pace, 0));
        assert!(!visitors.may_send(b"anna", pace, 0));
        // One of these may share a place with Anna; hardly all of them.
        let let_in = (0..100_u32).filter(|n| visitors.may_send(&n.to_be_bytes(), pace, 0));
        assert!(let_in.count() > 90);
    }

    #[test]
    fn a_household_is_one_visitor() {
        let seen = |address: &str| network(address.parse().unwrap()).to_string();
        assert_eq!(seen("203.0.113.7"), "203.0.113.7");
        assert_eq!(seen("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
