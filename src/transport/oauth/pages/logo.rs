//! `GET /oauth2/logo/<client_id>`: an application's logo, for the consent page.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::super::Shared;
use super::page::failed;
use crate::transport::http::html_error;

/// Gives the picture, if it is one of a kind that can hold no script.
pub async fn logo(State(state): State<Shared>, Path(client_id): Path<String>) -> Response {
    let image = match state.service.logo(&client_id).await {
        Ok(image) => image,
        Err(error) => return failed(error),
    };
    let Some((kind, image)) = image.and_then(|image| Some((media_type(&image)?, image))) else {
        return html_error(StatusCode::NOT_FOUND, "This application has no logo.").into_response();
    };
    let headers = HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
    ]);
    (headers, image).into_response()
}

/// By its first bytes; nobody's word is taken for it.
pub(super) fn media_type(image: &[u8]) -> Option<&'static str> {
    match image {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::media_type;

    #[test]
    fn kinds() {
        for (image, expect) in [
            (&b"\x89PNG\r\n\x1a\nrest"[..], Some("image/png")),
            (b"\xff\xd8\xff\xe0rest", Some("image/jpeg")),
            (b"RIFF\0\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
            (b"GIF89a", None),
            (b"", None),
        ] {
            assert_eq!(media_type(image), expect, "{image:?}");
        }
    }
}
