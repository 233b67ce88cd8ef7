//! Two hosts on one PostgreSQL, which are killed and stopped while the leads of a
//! fair come in, and whose database crashes: afterwards everything is as if one
//! host had done it all in peace.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at once, and tells its figures"
)]

use std::{path::PathBuf, thread::sleep, time::Duration};

use relata_tests::{Backend, Place, Postgres, Server, data};

use crate::fair::{counts, parts, undone};

/// So long a host has what it has claimed: a minute would be too long for a test,
/// and less than a slow machine takes for a step would be too short.
const LEASE: Duration = Duration::from_secs(8);

/// So long what is left may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// What happens while a part of the leads is worked at.
#[derive(Debug, Clone, Copy)]
enum Blow {
    /// One of the hosts is killed, and started again.
    Kill(usize),
    /// One is stopped until its leases have passed, and then goes on.
    Stop(usize),
    /// The server crashes, and is started again.
    Crash,
}

const BLOWS: [Blow; 6] =
    [Blow::Kill(0), Blow::Stop(1), Blow::Crash, Blow::Kill(1), Blow::Stop(0), Blow::Crash];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_stops_and_crashes_of_two_hosts_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str, backend| Place { root: folder.path().join(name), backend };
    let peace = place("peace", Backend::Sqlite);
    set_up(&peace);
    let calm = {
        let _server = Server::start(&peace, None).unwrap();
        import(&peace, data("leads.csv").to_str().unwrap());
        finish(&peace).await;
        counts(&[peace]).await
    };
    assert_eq!((calm["leads"], calm["tasks"], calm["mails in the folder"]), (97, 97, 97));

    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut chance = fastrand::Rng::with_seed(seed);
    let postgres = Postgres::own();
    let database = postgres.database();
    let places = ["a", "b"].map(|name| place(name, Backend::Postgres { url: database.url() }));
    set_up(&places[0]);
    places[1].initialize();
    let log = |host: usize| -> PathBuf { places[host].root.join("serve.log") };
    let start = |host: usize| {
        let mut command = places[host].command();
        command.env("RELATA_LEASE_MS", LEASE.as_millis().to_string());
        Server::start_by(command, Some(&log(host))).unwrap()
    };
    let mut hosts = [start(0), start(1)];
    for (part, blow) in parts(folder.path(), BLOWS.len()).iter().zip(BLOWS) {
        import(&places[0], part);
        sleep(Duration::from_millis(chance.u64(0..300)));
        match blow {
            Blow::Kill(host) => {
                hosts[host].kill();
                hosts[host] = start(host);
            }
            Blow::Stop(host) => {
                hosts[host].stop();
                sleep(LEASE + Duration::from_secs(1));
                hosts[host].go_on();
            }
            Blow::Crash => {
                postgres.stop();
                postgres.start();
            }
        }
    }
    finish(&places[0]).await;
    for host in &mut hosts {
        host.kill();
    }
    let said = [log(0), log(1)].map(|log| std::fs::read_to_string(log).unwrap());
    let taken_over = said.concat().matches("was taken over").count();
    println!("runs that a host found taken over by the other: {taken_over}");
    let found = counts(&places).await;
    assert_eq!(found, calm, "with seed {seed}, then in peace; the hosts said {said:#?}");
}

fn set_up(place: &Place) {
    place.initialize();
    place.ask(&["import", "user", data("agents.csv").to_str().unwrap()]).unwrap();
    let workflow = place.root.join("workflows/assign-new-leads.yaml");
    place.ask(&["activate", workflow.to_str().unwrap()]).unwrap();
}

fn import(place: &Place, file: &str) {
    place.ask(&["import", "lead", file]).unwrap();
}

/// Waits until nothing is left to do.
async fn finish(place: &Place) {
    let mut waited = Duration::ZERO;
    while undone(place).await > 0 {
        assert!(waited < PATIENCE, "what is left is not finished");
        sleep(Duration::from_millis(100));
        waited += Duration::from_millis(100);
    }
}
