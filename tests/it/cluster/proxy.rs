//! What stands between a node and its database, and can misbehave as networks do.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Everything passes.
    Good,
    /// Everything is taken and nothing passes; connections stay open. It passes on what it held when it is good again.
    Stalled,
    /// Connections are reset, new ones too.
    Cut,
    /// Each piece comes this much later.
    Slow(Duration),
    /// Everything passes but notifications: the server's messages of the type `A`.
    Silent,
}

/// A proxy before a database.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    line: Arc<watch::Sender<Line>>,
}

impl Proxy {
    /// Before the server at this port of loopback.
    pub async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let line = Arc::new(watch::channel(Line::Good).0);
        let lines = line.subscribe();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, server, lines.clone()));
            }
        });
        Self { port, line }
    }

    /// Changes how the line is, for connections that stand too.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

async fn connect(client: TcpStream, server: u16, mut line: watch::Receiver<Line>) {
    if *line.borrow() == Line::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = forward(from_client, to_server, line.clone(), false) => {}
        () = forward(from_server, to_client, line.clone(), true) => {}
        _ = line.wait_for(|line| *line == Line::Cut) => {}
    }
}

/// One direction. `messages`: what comes are the server's messages, of which notifications can be left out.
async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut line: watch::Receiver<Line>,
    messages: bool,
) {
    let mut held = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        let Ok(size @ 1..) = from.read(&mut piece).await else { return };
        held.extend_from_slice(&piece[..size]);
        if line.wait_for(|line| *line != Line::Stalled).await.is_err() {
            return;
        }
        let now = *line.borrow();
        if let Line::Slow(by) = now {
            tokio::time::sleep(by).await;
        }
        let whole = if messages { complete(&held) } else { held.len() };
        let rest = held.split_off(whole);
        let passed =
            if messages && now == Line::Silent { without_notifications(&held) } else { std::mem::take(&mut held) };
        held = rest;
        if to.write_all(&passed).await.is_err() {
            return;
        }
    }
}

/// Splits the server's messages: a byte that says the type, and the length with itself in four bytes.
fn split(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = u32::from_be_bytes(bytes.get(1..5)?.try_into().ok()?) as usize + 1;
        let (message, rest) = bytes.split_at_checked(length)?;
        bytes = rest;
        Some(message)
    })
}

fn complete(bytes: &[u8]) -> usize {
    split(bytes).map(<[u8]>::len).sum()
}

fn without_notifications(bytes: &[u8]) -> Vec<u8> {
    split(bytes).filter(|message| message[0] != b'A').flatten().copied().collect()
}

#[test]
fn notifications_are_left_out() {
    let message = |kind: u8, text: &str| {
        let length = u32::try_from(text.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, text.as_bytes()].concat()
    };
    let stream = [message(b'D', "row"), message(b'A', "told"), message(b'Z', "I")].concat();
    assert_eq!(complete(&stream[..stream.len() - 1]), message(b'D', "row").len() + message(b'A', "told").len());
    assert_eq!(without_notifications(&stream), [message(b'D', "row"), message(b'Z', "I")].concat());
}
