//! What introspection is compared with: an axum handler that reads the same form and answers the same JSON, and does
//! nothing in between. `benches/over_http.py` starts it.

use axum::Router;
use axum::http::header;
use axum::routing::post;

const ANSWER: &str = r#"{"active":true,"scope":"partner.read profile sale.read","client_id":"confluence-connector","username":"alice","token_type":"Bearer","exp":1800003600,"iat":1800000000,"sub":"3","iss":"http://127.0.0.1:8070"}"#;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let handler = |_: String| async {
        ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], ANSWER)
    };
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8069".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(listener, Router::new().route("/oauth2/introspect", post(handler))).await
}
