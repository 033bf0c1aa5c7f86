//! The files of the page, which are part of this program: each once as it is and
//! once packed.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::OnceLock;

use axum::body::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::Embed;

#[derive(Embed)]
#[folder = "$OUT_DIR/page"]
struct Files;

/// A file of the page.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) kind: &'static str,
    pub(crate) plain: Bytes,
    pub(crate) packed: Bytes,
}

/// The file at this path. Packing all of them takes longer than opening the room
/// may take, so each is packed when it is asked for first.
pub(crate) fn part(path: &str) -> Option<Part> {
    static PARTS: OnceLock<BTreeMap<String, OnceLock<Part>>> = OnceLock::new();
    let parts = PARTS.get_or_init(|| {
        Files::iter()
            .map(|path| (path.into_owned(), OnceLock::new()))
            .collect()
    });
    let part = parts.get(path)?;
    Some(part.get_or_init(|| packed(path)).clone())
}

fn packed(path: &str) -> Part {
    let plain =
        Files::get(path).map_or_else(Bytes::new, |file| Bytes::from(file.data.into_owned()));
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    // Into memory, which does not fail.
    let _written = packer.write_all(&plain);
    Part {
        kind: kind(path),
        packed: packer.finish().unwrap_or_default().into(),
        plain,
    }
}

fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json" | "webmanifest") => "application/json",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}
