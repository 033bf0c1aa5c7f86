//! A bridge to a room of a real Matrix server, which this test starts itself.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use baton_core::id::Digest;
use baton_store::Log as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;
use ureq::http::Request;

use crate::bridges::{House, SOON};
use crate::needs_aiosmtpd::{port, python};

/// A home server with a database of its own; it ends with this.
struct Synapse {
    folder: TempDir,
    url: String,
    port: u16,
    server: Option<Child>,
    agent: Agent,
}

impl Drop for Synapse {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Synapse {
    fn new() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), port());
        let agent = Agent::config_builder()
            .timeout_global(Some(SOON))
            .http_status_as_error(false)
            .build()
            .new_agent();
        let mut synapse = Self {
            folder,
            url: format!("http://127.0.0.1:{port}"),
            port,
            server: None,
            agent,
        };
        let mut made = synapse.python(&[
            "synapse.app.homeserver",
            "-c",
            "hs.yaml",
            "--generate-config",
            "-H",
            "localhost",
            "--report-stats=no",
        ]);
        assert!(made.status().unwrap().success());
        let ours = json!({
            "listeners": [{
                "port": synapse.port, "bind_addresses": ["127.0.0.1"], "type": "http", "tls": false,
                "resources": [{ "names": ["client"] }],
            }],
            "trusted_key_servers": [],
        });
        fs::write(synapse.path("ours.yaml"), ours.to_string()).unwrap();
        synapse.start();
        synapse
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A module of Python in the server's folder.
    fn python(&self, words: &[&str]) -> Command {
        let mut command = Command::new(python());
        let _command = command
            .arg("-m")
            .args(words)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    fn start(&mut self) {
        let words = ["synapse.app.homeserver", "-c", "hs.yaml", "-c", "ours.yaml"];
        self.server = Some(self.python(&words).spawn().unwrap());
        let until = Instant::now() + SOON + SOON;
        while self
            .agent
            .get(format!("{}/health", self.url))
            .call()
            .is_err()
        {
            assert!(Instant::now() < until, "the server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            drop(server.kill());
            drop(server.wait());
        }
    }

    /// The access token of somebody new.
    fn person(&self, name: &str) -> String {
        let register = "synapse._scripts.register_new_matrix_user";
        let words = [
            register,
            "-c",
            "hs.yaml",
            "--no-admin",
            "-u",
            name,
            "-p",
            "pw",
            &self.url,
        ];
        assert!(self.python(&words).status().unwrap().success());
        let login = json!({
            "type": "m.login.password", "password": "pw",
            "identifier": { "type": "m.id.user", "user": name },
        });
        let said = self.ask("POST", "login", "", &login);
        said["access_token"].as_str().unwrap().to_owned()
    }

    fn ask(&self, method: &str, path: &str, token: &str, body: &Value) -> Value {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/_matrix/client/v3/{path}", self.url))
            .header("authorization", format!("Bearer {token}"))
            .body(body.to_string())
            .unwrap();
        let mut answer = self.agent.run(request).unwrap();
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
    }

    /// The contents of the messages of a room, the first one first.
    fn messages(&self, token: &str, room: &str) -> Vec<Value> {
        let path = format!("rooms/{room}/messages?dir=f&limit=100");
        let request = format!("{}/_matrix/client/v3/{path}", self.url);
        let asked = self
            .agent
            .get(request)
            .header("authorization", format!("Bearer {token}"));
        let text = asked.call().unwrap().body_mut().read_to_string().unwrap();
        let said: Value = serde_json::from_str(&text).unwrap();
        let all = said["chunk"].as_array().unwrap().iter();
        let messages = all.filter(|it| it["type"] == "m.room.message");
        messages
            .inspect(|it| assert_eq!(it["sender"], "@baton:localhost"))
            .map(|it| it["content"].clone())
            .collect()
    }
}

#[test]
fn a_room_hears_each_thing_once_whatever_dies() {
    let mut synapse = Synapse::new();
    let (omar, baton) = (synapse.person("omar"), synapse.person("baton"));
    let made = json!({ "preset": "public_chat", "room_alias_name": "launch" });
    let room = synapse.ask("POST", "createRoom", &omar, &made);
    let room = room["room_id"].as_str().unwrap().replace('!', "%21");
    let house = House::new(&format!(
        "    - matrix: {{ server: \"{}\", room: \"#launch:localhost\", token: {{ file: token }} }}\n",
        synapse.url
    ));
    house.file("token", &baton);
    let post = house.post();
    house.no_go("<b>not</b> today, @room & all");
    assert_eq!(post.finish(SOON), []);
    let heard = synapse.messages(&omar, &room);
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!(heard[0]["msgtype"], "m.notice");
    assert_eq!(heard[0]["m.mentions"], json!({}));
    let body = heard[0]["body"].as_str().unwrap();
    assert!(
        body.contains("dana voted no-go: <b>not</b> today, @room & all"),
        "{body}"
    );
    let html = heard[0]["formatted_body"].as_str().unwrap();
    assert!(
        html.contains("&lt;b&gt;not&lt;/b&gt; today, @room &amp; all"),
        "{html}"
    );

    // A sender that dies after the delivery, and before it could keep that.
    let mut desk = house.desk();
    let bridge = &desk.contract.room.defined().unwrap().notify[0];
    let key = format!("bridge/{}/{}", desk.handoff(), Digest::of_value(bridge));
    let (head, _, before) = desk.log.recall(&key).unwrap().unwrap();
    house.no_go("second");
    assert_eq!(house.post().finish(SOON), []);
    let after = desk.log.recall(&key).unwrap().unwrap().2;
    assert_ne!(before, after);
    desk.log.remember(&key, &head, &before).unwrap();
    assert_eq!(house.post().finish(SOON), []);
    assert_eq!(
        desk.log.recall(&key).unwrap().unwrap().2,
        after,
        "it was told again"
    );
    assert_eq!(synapse.messages(&omar, &room).len(), 2, "and heard once");

    // A server that dies.
    synapse.stop();
    house.no_go("third");
    let untold = house.post().finish(Duration::from_secs(1));
    assert_eq!((untold.len(), untold[0].notices), (1, 1));
    assert!(untold[0].because.starts_with("no connection"), "{untold:?}");
    assert!(untold[0].bridge.ends_with("#launch:localhost"));
    synapse.start();
    assert_eq!(house.post().finish(SOON), []);
    let heard = synapse.messages(&omar, &room);
    assert_eq!(heard.len(), 3, "{heard:?}");
    assert!(heard[2]["body"].as_str().unwrap().contains("third"));
    let said = house.of_bridges();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("lost matrix #launch:localhost: no connection"));
    assert_eq!(said[1], "back matrix #launch:localhost");
}
