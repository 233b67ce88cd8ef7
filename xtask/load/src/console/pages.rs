//! The pages that are asked for: each one that an agent or an administrator has
//! in front of them on a usual day.

use crate::console::fill::Filled;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Agent,
    Administrator,
}

/// A page. `{contact}` and so on in its address is another record each time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) who: Who,
    address: &'static str,
}

/// What stands for all of them in a report.
pub(crate) const EVERY: Page = Page { who: Who::Administrator, address: "" };

/// What an agent looks at.
const OF_AN_AGENT: &[&str] = &[
    "/inbox",
    "/inbox?view=queues",
    "/inbox?view=unassigned",
    "/inbox?view=waiting",
    "/inbox?view=open",
    "/tickets/{own_ticket}",
    "/tasks",
    "/tasks?view=all",
    "/tasks?view=done",
    "/approvals",
    "/records",
    "/records/contact",
    "/records/contact/{contact}",
    "/records/contact/{contact}/edit",
    "/records/account/{account}",
    "/records/ticket",
    "/records/ticket?status=open",
    "/records/ticket?customer=contact/{contact}",
    "/new/ticket",
];

/// What an administrator looks at.
const OF_AN_ADMINISTRATOR: &[&str] = &[
    "/inbox",
    "/inbox?view=unassigned",
    "/inbox?view=open",
    "/tickets/{ticket}",
    "/tasks?view=all",
    "/records/contact",
    "/records/contact?sort=name",
    "/records/contact?sort=-created_at",
    "/records/contact?q={name}",
    "/records/contact?tier=gold",
    "/records/contact/{contact}",
    "/records/account",
    "/records/account?sort=name",
    "/records/account/{account}",
    "/records/ticket",
    "/records/ticket?sort=-updated_at",
    "/records/ticket?status=open&priority=urgent",
    "/records/message",
    "/records/message?ticket=ticket/{ticket}",
    "/records/lead",
    "/records/lead?status=new",
    "/records/lead/{lead}",
    "/boards/lead",
    "/records/opportunity",
    "/records/opportunity/{opportunity}",
    "/boards/opportunity",
    "/boards/ticket",
    "/records/queue/{queue}",
    "/records/user/{user}",
    "/runs",
    "/runs?status=active",
    "/runs?status=failed",
    "/runs?workflow=watch-tickets",
    "/runs?record=ticket/{ticket}",
    "/runs/{run}",
    "/workflows",
    "/workflows/watch-tickets",
    "/routing",
    "/plugins",
    "/admin",
];

pub(crate) fn all() -> Vec<Page> {
    let of = |who| move |address: &&'static str| Page { who, address };
    let agent = OF_AN_AGENT.iter().map(of(Who::Agent));
    agent.chain(OF_AN_ADMINISTRATOR.iter().map(of(Who::Administrator))).collect()
}

impl Page {
    /// Its address, in a company.
    pub(crate) fn path(&self, filled: &Filled, round: usize) -> String {
        let mut path = self.address.to_owned();
        for (name, keys) in filled.keys() {
            let place = format!("{{{name}}}");
            if path.contains(&place) {
                // Neighbours in the tables are not neighbours here.
                let key = &keys[round.wrapping_mul(7_919) % keys.len()];
                path = path.replace(&place, key);
            }
        }
        path
    }

    /// As a report calls it.
    pub(crate) fn told(&self) -> String {
        match (self.address, self.who) {
            ("", _) => "all of them".to_owned(),
            (address, Who::Agent) => format!("agent {address}"),
            (address, Who::Administrator) => address.to_owned(),
        }
    }
}
