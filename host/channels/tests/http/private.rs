//! Private networks are out of reach.

use std::time::Duration;

use relata_channels::{HttpConfig, HttpError, HttpOut};

use crate::service::{Service, call, client};

#[tokio::test]
async fn this_machine_is_not_called() {
    let service = Service::answering("HTTP/1.1 200 OK\r\n\r\n", Duration::ZERO).await;
    let strict = HttpOut::new(&HttpConfig::default()).unwrap();
    // By its address in every spelling, and by a name that leads to it.
    for host in
        ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0"]
    {
        let url = format!("http://{host}:{}/", service.port);
        let why = strict.send(call(url)).await.unwrap_err();
        assert!(matches!(why, HttpError::Private { .. }), "{host}: {why}");
        assert!(!why.is_transient());
    }
    assert!(service.asked().is_empty());
}

#[tokio::test]
async fn a_host_that_the_operator_names_is_called() {
    let service = Service::answering("HTTP/1.1 200 OK\r\n\r\n", Duration::ZERO).await;
    let url = |host: &str| format!("http://{host}:{}/", service.port);
    assert!(client().send(call(url("127.0.0.1"))).await.is_ok());
    // That one, and no other that lies beside it.
    assert!(client().send(call(url("localhost"))).await.is_err());
    let named = HttpConfig { private_hosts: vec!["LocalHost".to_owned()], ca_file: None };
    assert!(HttpOut::new(&named).unwrap().send(call(url("localhost"))).await.is_ok());
}
