//! A notice as each kind of bridge wants it.
//!
//! Slack: the three characters of its own are escaped and its markup is off
//! (<https://docs.slack.dev/messaging/formatting-message-text>). Matrix: an
//! `m.notice` that mentions nobody (client-server API, section 13.2.1). Mail: a
//! subject of one line and plain text. Webhooks: the body that Standard Webhooks
//! recommends (<https://github.com/standard-webhooks/standard-webhooks>).

use serde_json::{Value, json};

use super::{Notice, Severity};

/// What a mail consists of, beside who sends it to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The `Message-ID`, in its angle brackets.
    pub message_id: String,
    /// What all mails of one run refer to, so that they stand together.
    pub thread: String,
}

/// Plain text: title, what is so, who is called, what answers, when and where.
pub fn text(notice: &Notice, room: Option<&str>) -> String {
    let mut parts = vec![notice.title.clone()];
    parts.extend(body(notice, room));
    parts.join("\n")
}

/// The lines below the title.
fn body(notice: &Notice, room: Option<&str>) -> Vec<String> {
    let mut parts = vec![notice.says.clone()];
    parts.extend(notice.calls());
    parts.extend(notice.answers());
    parts.push(notice.when());
    parts.extend(link(notice, room));
    parts
}

/// Where the page shows it.
fn link(notice: &Notice, room: Option<&str>) -> Option<String> {
    room.map(|room| format!("{}{}", room.trim_end_matches('/'), notice.path()))
}

/// The body for a Slack incoming webhook.
pub fn slack(notice: &Notice, room: Option<&str>) -> Value {
    json!({
        "text": escape_slack(&text(notice, room)),
        "mrkdwn": false,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

fn escape_slack(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The content of an `m.room.message` event.
pub fn matrix(notice: &Notice, room: Option<&str>) -> Value {
    let mut html = format!("<strong>{}</strong>", escape_html(&notice.title));
    for part in body(notice, None) {
        html.push_str("<br>");
        html.push_str(&escape_html(&part).replace('\n', "<br>"));
    }
    if let Some(link) = link(notice, room) {
        let link = escape_html(&link);
        html.push_str(&format!("<br><a href=\"{link}\">{link}</a>"));
    }
    json!({
        "msgtype": "m.notice",
        "body": text(notice, room),
        "format": "org.matrix.custom.html",
        "formatted_body": html,
        "m.mentions": {},
    })
}

fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// The mail; `domain` is that of its sender.
pub fn mail(notice: &Notice, room: Option<&str>, domain: &str) -> Mail {
    let mark = match notice.severity {
        Severity::Info => "",
        Severity::Attention => "[look] ",
        Severity::Alarm => "[act] ",
    };
    let thread = notice.run.as_ref().map_or_else(
        || {
            crate::id::Digest::of(notice.handoff.as_bytes())
                .short()
                .to_owned()
        },
        ToString::to_string,
    );
    Mail {
        subject: format!("{mark}{}", notice.title),
        text: format!("{}\n", body(notice, room).join("\n\n")),
        message_id: format!("<{}@{domain}>", notice.id),
        thread: format!("<{thread}@{domain}>"),
    }
}

/// The body of a webhook: its type, when it happened, and what is so.
pub fn webhook(notice: &Notice, room: Option<&str>) -> Value {
    json!({
        "type": format!("baton.{}", notice.kind.key()),
        "timestamp": notice.at,
        "data": data(notice, room),
    })
}

/// What is so, for programs.
pub(super) fn data(notice: &Notice, room: Option<&str>) -> Value {
    json!({
        "format": 1,
        "id": notice.id,
        "kind": notice.kind,
        "severity": notice.severity,
        "handoff": notice.handoff,
        "name": notice.name,
        "version": notice.version,
        "environment": notice.environment,
        "run": notice.run,
        "what": notice.what,
        "outcome": notice.outcome,
        "title": notice.title,
        "says": notice.says,
        "called": notice.called,
        "next": notice.next,
        "url": link(notice, room),
    })
}
