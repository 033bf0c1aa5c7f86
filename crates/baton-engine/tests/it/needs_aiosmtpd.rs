//! Bridges by mail to a real mail server, which these tests start themselves.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::bridges::{House, SOON};

/// Python with what the tests need, as `cargo xtask test` installs it.
pub(crate) fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/python")
}

/// A port that nobody listened on a moment ago.
pub(crate) fn port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Keeps every mail in a folder `mails`, as JSON that Python's own reader of
/// mails made of it; with a password, only from `baton` who knows it.
const SERVER: &str = r#"
import email, email.policy, json, os, sys, threading
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

port, password = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None

class Keep:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone@"):
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        kept = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "body": mail.get_content(),
                "headers": {name.lower(): str(value) for name, value in mail.items()}}
        count = len(os.listdir("mails"))
        with open("mails/new", "w") as file:
            json.dump(kept, file)
        os.rename("mails/new", f"mails/{count}.json")
        return "250 OK"

def known(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"baton", password.encode())
    return AuthResult(success=good, handled=False)

more = dict(authenticator=known, auth_required=True, auth_require_tls=False) if password else {}
Controller(Keep(), hostname="127.0.0.1", port=port, **more).start()
print("ready", flush=True)
threading.Event().wait()
"#;

/// The server; it ends with this.
struct Server(Child);

impl Server {
    fn start(house: &House, port: u16, password: Option<&str>) -> Self {
        house.file("server.py", SERVER);
        fs::create_dir_all(house.folder.path().join("mails")).unwrap();
        let mut child = Command::new(python())
            .args(["server.py", &port.to_string()])
            .args(password)
            .current_dir(house.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let _length = out.read_line(&mut said).unwrap();
        assert_eq!(said.trim(), "ready");
        Self(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn mails(house: &House) -> Vec<Value> {
    let folder = house.folder.path().join("mails");
    let count = fs::read_dir(&folder).unwrap().count();
    let read = |at| fs::read(folder.join(format!("{at}.json"))).unwrap();
    (0..count)
        .map(|at| serde_json::from_slice(&read(at)).unwrap())
        .collect()
}

fn email(port: u16, more: &str) -> String {
    format!(
        "    - email: {{ to: [ops@shop.example, pia@shop.example], smtp: \"smtp://baton@127.0.0.1:{port}\"{more} }}\n"
    )
}

#[test]
fn a_mail_waits_for_its_server_and_arrives_once() {
    let port = port();
    let house = House::new(&email(port, ", from: baton@shop.example"));
    let post = house.post();
    house.no_go("Zoë says:\r\nBcc: all@shop.example");
    let untold = post.finish(Duration::from_secs(1));
    assert_eq!(untold[0].because, "no connection to the mail server");
    let _server = Server::start(&house, port, None);
    assert_eq!(house.post().finish(SOON), []);
    assert_eq!(house.post().finish(SOON), []);
    let mails = mails(&house);
    assert_eq!(mails.len(), 1, "{mails:?}");
    let (mail, headers) = (&mails[0], &mails[0]["headers"]);
    assert_eq!(mail["from"], "baton@shop.example");
    assert_eq!(
        mail["to"],
        serde_json::json!(["ops@shop.example", "pia@shop.example"])
    );
    assert_eq!(
        headers["subject"],
        "[look] shop 2.4.0 in production: a no-go"
    );
    assert_eq!(headers["auto-submitted"], "auto-generated");
    assert_eq!(headers["bcc"], Value::Null);
    let id = headers["message-id"].as_str().unwrap();
    assert!(
        id.starts_with("<ntc_") && id.ends_with("@shop.example>"),
        "{id}"
    );
    let body = mail["body"].as_str().unwrap();
    assert!(
        body.contains("dana voted no-go: Zoë says: Bcc: all@shop.example"),
        "{body}"
    );
    assert!(body.contains("https://baton.shop.example/"), "{body}");
}

#[test]
fn a_recipient_who_is_gone_keeps_the_mail_from_nobody_else() {
    let port = port();
    let house = House::new(&email(port, "").replace("pia@", "gone@"));
    let _server = Server::start(&house, port, None);
    let post = house.post();
    house.no_go("not today");
    assert_eq!(post.finish(SOON), []);
    let mails = mails(&house);
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0]["to"], serde_json::json!(["ops@shop.example"]));
}

#[test]
fn a_password_opens_the_server_and_a_wrong_one_is_told_without_it() {
    let port = port();
    let house = House::new(&email(port, ", password: { file: password }"));
    let _server = Server::start(&house, port, Some("s3cret"));
    house.file("password", "hunter2-is-wrong");
    let post = house.post();
    house.no_go("not today");
    let untold = post.finish(Duration::from_secs(2));
    assert_eq!(untold.len(), 1);
    assert_eq!(untold[0].because, "the mail server answers with 535");
    assert!(mails(&house).is_empty());
    // It is looked up for each delivery.
    house.file("password", "s3cret");
    assert_eq!(house.post().finish(SOON), []);
    assert_eq!(mails(&house).len(), 1);
    assert_eq!(mails(&house)[0]["from"], "baton@localhost");
}
