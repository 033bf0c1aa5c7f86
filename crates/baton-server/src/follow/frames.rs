//! The frames of the stream (Server-sent events, WHATWG HTML, section 9.2).

use bytes::Bytes;
use serde::Serialize;

use super::Line;
use crate::wire::FeedLine;

pub(super) fn line(line: &FeedLine) -> Line {
    Line {
        seq: line.seq,
        json: Bytes::from(serde_json::to_vec(line).unwrap_or_default()),
    }
}

/// The frame of a line of the feed.
pub(super) fn feed(line: &Line) -> Bytes {
    let mut frame = format!("event: feed\nid: {}\ndata: ", line.seq).into_bytes();
    frame.extend_from_slice(&line.json);
    frame.extend_from_slice(b"\n\n");
    Bytes::from(frame)
}

/// An event of the stream. JSON has no line breaks of its own.
pub(super) fn frame(event: &str, id: Option<u64>, data: &impl Serialize) -> Bytes {
    let mut frame = format!("event: {event}\n").into_bytes();
    if let Some(id) = id {
        frame.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    frame.extend_from_slice(b"data: ");
    frame.extend_from_slice(&serde_json::to_vec(data).unwrap_or_default());
    frame.extend_from_slice(b"\n\n");
    Bytes::from(frame)
}
