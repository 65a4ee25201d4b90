//! What stands before a server: it counts the calls, and answers some of them itself.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// An answer of its own: status and body.
pub type Own = Option<(u16, &'static str)>;

/// It says no to a call, as Odoo's doors do.
pub const OUT_OF_ORDER: Own = Some((500, r#"{"name": "builtins.Exception", "message": "out of order"}"#));
/// The same at `/rpc`.
pub const RPC_OUT_OF_ORDER: Own =
    Some((200, r#"{"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "out of order"}}"#));

/// Whether a call acts on this user, be it among others; as the command line's calls name him.
pub fn acts_on(call: &str, body: &Value, user: i64) -> bool {
    let names = |ids: &Value| ids.as_array().is_some_and(|ids| ids.contains(&json!(user)));
    call.contains("/json/2/res.users/") && names(&body["ids"])
        || body["method"] == "orest_revoke"
            && body["params"]["selection"]["domain"]
                .as_array()
                .is_some_and(|terms| terms.iter().any(|term| term[0] == "user_id" && names(&term[2])))
}

/// A gate.
pub struct Gate {
    /// Where it listens.
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Gate {
    /// Before a server; `own` says, by method and path, what the gate answers itself.
    pub fn start(server: &str, own: impl Fn(&str) -> Own + Send + 'static) -> Self {
        Self::start_reading(server, move |call, _| own(call))
    }

    /// The same; `own` is told the body too.
    pub fn start_reading(server: &str, own: impl Fn(&str, &Value) -> Own + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (server, list) = (server.to_owned(), requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                pass(&mut stream.unwrap(), &server, &own, &list);
            }
        });
        Self { url, requests }
    }

    /// Method and path of each call since it was asked last.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

fn pass(stream: &mut TcpStream, server: &str, own: &impl Fn(&str, &Value) -> Own, list: &Mutex<Vec<String>>) {
    let (call, request) = read(stream);
    list.lock().unwrap().push(call.clone());
    let body = request.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
    if let Some((status, body)) = own(&call, &body.unwrap_or_default()) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} Own\r\nContent-Type: application/json\r\nContent-Length: {length}");
        write!(stream, "{head}\r\nConnection: close\r\n\r\n{body}").unwrap();
        return;
    }
    let mut behind = TcpStream::connect(server).unwrap();
    behind.write_all(request.replacen("\r\n", "\r\nConnection: close\r\n", 1).as_bytes()).unwrap();
    let mut answer = Vec::new();
    behind.read_to_end(&mut answer).unwrap();
    stream.write_all(&answer).unwrap();
}

/// Method and path, and all of the request.
fn read(stream: &mut TcpStream) -> (String, String) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).unwrap();
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let header = |line: &str| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok();
            if body.len() >= head.lines().find_map(header).unwrap_or(0) {
                let call = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
                return (call, text.into_owned());
            }
        }
        assert!(read > 0, "{text}");
    }
}
