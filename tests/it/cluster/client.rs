//! HTTP over one connection that is kept, with nothing between the test and the bytes: what a check saw and when.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than any node takes that is not stopped for good.
const TIMEOUT: Duration = Duration::from_secs(8);

/// A connection, made when it is needed and made anew after a fault.
pub struct Client {
    address: SocketAddr,
    /// What each request says besides, as lines.
    headers: String,
    stream: Option<BufReader<TcpStream>>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers; names are lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Client {
    /// To this address, as nobody.
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, headers: String::new(), stream: None }
    }

    /// As somebody.
    pub fn basic(self, name: &str, secret: &str) -> Self {
        self.header("Authorization", &basic(name, secret))
    }

    /// Saying this with each request.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.headers.push_str(&format!("{name}: {value}\r\n"));
        }
        self
    }

    /// A GET.
    pub async fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.request("GET", path, "text/plain", "").await
    }

    /// A form.
    pub async fn post_form(&mut self, path: &str, body: &str) -> io::Result<Answer> {
        self.request("POST", path, "application/x-www-form-urlencoded", body).await
    }

    /// JSON.
    pub async fn post_json(&mut self, path: &str, body: &str) -> io::Result<Answer> {
        self.request("POST", path, "application/json", body).await
    }

    /// Any request.
    pub async fn request(&mut self, method: &str, path: &str, content: &str, body: &str) -> io::Result<Answer> {
        let answer = timeout(TIMEOUT, self.exchange(method, path, content, body)).await;
        let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if answer.is_err() {
            self.stream = None;
        }
        answer
    }

    async fn exchange(&mut self, method: &str, path: &str, content: &str, body: &str) -> io::Result<Answer> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                self.stream.insert(BufReader::new(stream))
            }
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{}Content-Type: {content}\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            self.headers,
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or(io::ErrorKind::UnexpectedEof)?;
        let (mut length, mut headers) = (0, Vec::new());
        loop {
            line.clear();
            stream.read_line(&mut line).await?;
            if line.trim_end().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                headers.push((name.to_lowercase(), value.trim().to_owned()));
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
                }
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        Ok(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

impl Answer {
    /// A header; empty: it has none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    /// The cookies that it sets; those without a value it takes away.
    pub fn cookies(&self) -> impl Iterator<Item = (String, String)> {
        let cookies = self.headers.iter().filter(|(name, _)| name == "set-cookie");
        cookies
            .filter_map(|(_, cookie)| cookie.split(';').next()?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    }

    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// The header by which somebody says who he is.
pub fn basic(name: &str, secret: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{name}:{secret}")))
}
