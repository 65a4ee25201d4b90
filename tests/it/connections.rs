//! The connections under the doors: slow ones are closed, and a server that stops answers what it was asked.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::support::http::TestServer;

const REQUEST: &[u8] = b"GET /web/health HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A server that waits this long for headers, where it listens, and what stops it.
async fn serve(
    patience: Duration,
) -> (std::net::SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>, TestServer) {
    let server = TestServer::new().await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let router = server.router.clone();
    let serving = tokio::spawn(orest::transport::server::serve(listener, router, patience, async {
        let _ = stopped.await;
    }));
    (address, stop, serving, server)
}

/// All that comes until the other side closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.expect("it is closed").unwrap();
    String::from_utf8(rest).unwrap()
}

#[tokio::test]
async fn who_never_sends_his_headers_is_cut_off() {
    let (address, _stop, _serving, _server) = serve(Duration::from_millis(300)).await;
    // Nothing at all; as HTTP/2 begins, which might be still to come; some of a request; and one request, and no other.
    for (sent, answered) in [(&b""[..], false), (b"PRI", false), (&REQUEST[..20], false), (REQUEST, true)] {
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(sent).await.unwrap();
        let answer = rest(slow).await;
        assert_eq!(answer.contains("200 OK"), answered, "{answer}");
    }

    // Others are served meanwhile and after.
    let mut good = TcpStream::connect(address).await.unwrap();
    good.write_all(REQUEST).await.unwrap();
    assert!(rest(good).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_server_that_stops_answers_first() {
    let (address, stop, serving, _server) = serve(Duration::from_secs(60)).await;
    let mut asked = TcpStream::connect(address).await.unwrap();
    asked.write_all(REQUEST).await.unwrap();
    let mut first = [0; 15];
    asked.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");

    stop.send(()).unwrap();
    // The connection is idle now, so that it does not hold the server up.
    tokio::time::timeout(Duration::from_secs(20), serving).await.expect("it stops").unwrap();
    assert!(rest(asked).await.contains("\r\n\r\n"));
    assert!(TcpStream::connect(address).await.is_err());
}
