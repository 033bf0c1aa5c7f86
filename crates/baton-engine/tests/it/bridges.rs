//! Bridges to receivers that fail, are slow, are gone, and come back.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use baton_core::event::Event;
use baton_core::id::{Digest, Handle};
use baton_core::ledger::Draft;
use baton_engine::bridges::{Pace, Post};
use baton_engine::desk::{Desk, Settings};
use baton_store::{Log as _, SqliteLog};
use baton_testkit::receiver::{Act, Receiver, Request};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use tempfile::TempDir;

/// As quick as a test wants it.
pub(crate) const QUICK: Pace = Pace {
    first: Duration::from_millis(5),
    longest: Duration::from_millis(40),
    lost_after: 4,
};
pub(crate) const SOON: Duration = Duration::from_secs(30);
const KEY: &[u8] = b"0123456789abcdef01234567";

/// A handoff with these bridges, in a folder of its own.
pub(crate) struct House {
    pub(crate) folder: TempDir,
}

impl House {
    pub(crate) fn new(bridges: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret = format!("whsec_{}\n", STANDARD.encode(KEY));
        fs::write(folder.path().join("key"), secret).unwrap();
        fs::write(folder.path().join("runbook.md"), RUNBOOK).unwrap();
        let contract = format!("{CONTRACT}room:\n  notify:\n{bridges}");
        fs::write(folder.path().join("handoff.yaml"), contract).unwrap();
        Self { folder }
    }

    pub(crate) fn file(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            file: self.folder.path().join("handoff.yaml"),
            folder: self.folder.path().to_owned(),
            speaker: None,
            run: None,
            home: self.folder.path().join("home"),
            ssh: PathBuf::from("ssh"),
        }
    }

    pub(crate) fn desk(&self) -> Desk {
        Desk::open(&self.settings()).unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    pub(crate) fn post(&self) -> Post {
        let room = Some("https://baton.shop.example".to_owned());
        Post::paced(&self.settings(), room, QUICK)
    }

    /// Somebody votes no-go, for this reason.
    pub(crate) fn no_go(&self, because: &str) {
        self.no_go_at(because, Timestamp::now());
    }

    fn no_go_at(&self, because: &str, at: Timestamp) {
        let mut desk = self.desk();
        let draft = Draft {
            at,
            by: Handle::from("dana"),
            handoff: desk.handoff(),
            run: None,
            event: Event::Voted {
                go: false,
                confidence: None,
                commitment: None,
                because: Some(because.to_owned()),
                content: Digest::of(b""),
            },
        };
        drop(desk.log.append(vec![draft], None, None).unwrap());
    }

    fn ledger(&self) -> SqliteLog {
        SqliteLog::open(&self.folder.path().join(".baton/ledger.db")).unwrap()
    }

    /// What the ledger says of bridges.
    pub(crate) fn of_bridges(&self) -> Vec<String> {
        let entries = self.ledger().read(baton_core::id::Seq(0), 1000).unwrap();
        let said = entries.into_iter().filter_map(|entry| match entry.event {
            Event::BridgeLost { bridge, because } => Some(format!("lost {bridge}: {because}")),
            Event::BridgeBack { bridge, .. } => Some(format!("back {bridge}")),
            _ => None,
        });
        said.collect()
    }
}

pub(crate) const RUNBOOK: &str = "# Launch shop\n\n### Do it {#do}\n\n- owner: lee (backup: dana)\n\n```sh run\ntrue\n```\n\n```sh undo\ntrue\n```\n";

pub(crate) const CONTRACT: &str = r#"name: shop
from: development
to: operations
touches: [shop]
people:
  dana: { name: Dana Ito,  email: dana@shop.example, zone: UTC }
  lee:  { name: Lee Novak, email: lee@shop.example,  zone: UTC }
  omar: { name: Omar Diaz, email: omar@shop.example, zone: UTC }
  pia:  { name: Pia Lund,  email: pia@shop.example,  zone: UTC }
teams:
  development: [dana, lee]
  operations: [omar, pia]
roles:
  launch-lead: { owner: omar, backup: pia }
  rollback-decider: { owner: pia, backup: omar }
release: { version: 2.4.0, kind: code, artifacts: [] }
environments:
  production: { hosts: { h1: { dir: h1 } } }
launch: { environment: production }
expectations: { declined: One team, by: pia }
done: [ { id: signed, says: It is signed, owner: pia, sign: pia } ]
parity: { declined: One place, by: pia }
success: { declined: Nobody calls it, by: pia }
runbook: runbook.md
rehearsal: { declined: A test, by: pia }
review: { declined: A test, by: pia }
"#;

fn webhook(receiver: &Receiver) -> String {
    let url = receiver.url("/hook?token=in-the-url");
    format!("    - webhook: {{ url: \"{url}\", secret: {{ file: key }} }}\n")
}

fn slack(house: &House, receiver: &Receiver) {
    house.file("slack", &receiver.url("/services/T0/B0/secret-of-slack"));
}

const SLACK: &str = "    - slack: { url: { file: slack } }\n";

/// Whether the signature is right, told without the code that made it.
fn is_signed(request: &Request) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    let (id, at) = (
        request.header("webhook-id"),
        request.header("webhook-timestamp"),
    );
    let now = Timestamp::now().as_second();
    let young = at
        .parse::<i64>()
        .is_ok_and(|at| (now - 60..=now).contains(&at));
    mac.update(&[id.as_bytes(), b".", at.as_bytes(), b".", &request.body].concat());
    let signature = request.header("webhook-signature").strip_prefix("v1,");
    let signature = signature.and_then(|text| STANDARD.decode(text).ok());
    young && signature.is_some_and(|signature| mac.verify_slice(&signature).is_ok())
}

fn taken(request: &Request) -> bool {
    request.act == Act::Answer(200)
}

fn says(requests: &[Request]) -> Vec<String> {
    let told = requests.iter().filter(|request| taken(request));
    told.map(|request| request.json()["data"]["says"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_fails_is_told_again_in_order_under_the_same_id_and_signed() {
    let script = [
        Act::Answer(500),
        Act::Close,
        Act::With(429, "retry-after", "0"),
        Act::Answer(200),
        Act::Answer(302),
    ];
    let receiver = Receiver::new(&script).unwrap();
    let house = House::new(&webhook(&receiver));
    let post = house.post();
    ["one", "two", "three"]
        .iter()
        .for_each(|why| house.no_go(why));
    assert_eq!(post.finish(SOON), []);
    let heard = receiver.requests();
    assert_eq!(heard.len(), 7, "{heard:?}");
    assert!(heard.iter().all(is_signed));
    let ids: Vec<&str> = heard.iter().map(|it| it.header("webhook-id")).collect();
    assert!(ids[..4].iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(ids[4], ids[5]);
    let mut different = ids.clone();
    different.dedup();
    assert_eq!(different.len(), 3, "{ids:?}");
    let expected = ["one", "two", "three"].map(|why| format!("dana voted no-go: {why}"));
    assert_eq!(says(&heard), expected);
    let first = heard[0].json();
    assert_eq!(
        (&first["type"], heard[0].method.as_str()),
        (&"baton.no-go".into(), "POST")
    );
    assert_eq!(heard[0].path, "/hook?token=in-the-url");
    assert_eq!(heard[0].header("content-type"), "application/json");
    assert_eq!(first["data"]["url"], "https://baton.shop.example/");
    assert_eq!(house.of_bridges(), Vec::<String>::new());
}

#[test]
fn a_bridge_that_is_down_is_said_once_and_holds_up_nobody() {
    let down = [Act::Answer(503), Act::Close].repeat(4);
    let (gone, well) = (Receiver::new(&down).unwrap(), Receiver::new(&[]).unwrap());
    let house = House::new(&(webhook(&gone) + SLACK));
    slack(&house, &well);
    let post = house.post();
    house.no_go("not today");
    // The other bridge has it at once, and then that the first is lost and back.
    let heard = well.until(3, taken);
    assert_eq!(post.finish(SOON), []);
    let texts: Vec<String> = heard
        .iter()
        .map(|it| it.json()["text"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        texts[0].contains("dana voted no-go: not today"),
        "{texts:?}"
    );
    assert!(texts[1].contains("does not get through"), "{texts:?}");
    assert!(texts[2].contains("gets through again after"), "{texts:?}");
    assert_eq!(heard.len(), 3);
    let said = house.of_bridges();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("lost webhook 127.0.0.1:"), "{said:?}");
    assert!(said[1].starts_with("back webhook 127.0.0.1:"), "{said:?}");
    assert_eq!(says(&gone.requests()), ["dana voted no-go: not today"]);
}

#[test]
fn no_secret_is_in_an_error_or_in_the_ledger() {
    let lost = Receiver::new(&[Act::Answer(404)].repeat(1000)).unwrap();
    let bridges = format!(
        "{SLACK}    - webhook: {{ url: \"http://127.0.0.1:1/hook-in-the-url\", secret: {{ command: \"echo hunter2; exit 1\" }} }}\n"
    );
    let house = House::new(&bridges);
    slack(&house, &lost);
    let post = house.post();
    house.no_go("the path is secret-of-slack");
    let _heard = lost.until(6, |_| true);
    let untold = post.finish(Duration::ZERO);
    assert_eq!(untold.len(), 2, "{untold:?}");
    let said = format!("{untold:?} {:?}", house.of_bridges());
    for secret in ["secret-of-slack", "hunter2", "hook-in-the-url"] {
        assert!(!said.contains(secret), "{said}");
    }
    assert!(
        said.contains("HTTP status 404") && said.contains("its secret cannot be had"),
        "{said}"
    );
    // What somebody said in the room does not give it away either.
    let well = Receiver::new(&[]).unwrap();
    let other = House::new(SLACK);
    slack(&other, &well);
    let post = other.post();
    other.no_go(&format!(
        "it is {}",
        well.url("/services/T0/B0/secret-of-slack")
    ));
    assert_eq!(post.finish(SOON), []);
    let heard = well.requests();
    let text = heard[0].json()["text"].to_string();
    assert!(
        text.contains("it is ***") && !text.contains("secret-of-slack"),
        "{text}"
    );
}

#[test]
fn what_is_refused_for_good_is_left_out() {
    let script = [Act::Answer(400), Act::Answer(400), Act::Answer(400)];
    let receiver = Receiver::new(&script).unwrap();
    let house = House::new(&webhook(&receiver));
    let post = house.post();
    house.no_go("odd");
    house.no_go("even");
    assert_eq!(post.finish(SOON), []);
    let heard = receiver.requests();
    assert_eq!(says(&heard), ["dana voted no-go: even"]);
    assert_eq!(heard.len(), 4);
    let said = house.of_bridges();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].ends_with("what it refuses for good is left out"),
        "{said:?}"
    );
}

#[test]
fn one_post_speaks_and_the_next_goes_on_where_it_was() {
    let receiver = Receiver::new(&[]).unwrap();
    let house = House::new(&webhook(&receiver));
    let first = house.post();
    house.no_go("one");
    let _heard = receiver.until(1, taken);
    let second = house.post();
    house.no_go("two");
    let _heard = receiver.until(2, taken);
    drop(first);
    house.no_go("three");
    let heard = receiver.until(3, taken);
    assert_eq!(second.finish(SOON), []);
    // Said while nobody served the bridges, it is told by whoever serves them next.
    house.no_go("four");
    assert_eq!(house.post().finish(SOON), []);
    assert_eq!(house.post().finish(SOON), []);
    assert_eq!(heard.len(), 3);
    let expected = ["one", "two", "three", "four"].map(|why| format!("dana voted no-go: {why}"));
    assert_eq!(says(&receiver.requests()), expected);
}

#[test]
fn what_is_old_is_not_told_to_a_bridge_that_is_new() {
    let receiver = Receiver::new(&[]).unwrap();
    let house = House::new(&webhook(&receiver));
    let ago = |minutes: i64| Timestamp::now() - jiff::SignedDuration::from_mins(minutes);
    house.no_go_at("old", ago(60));
    house.no_go_at("older than some minutes", ago(6));
    house.no_go_at("fresh", ago(1));
    assert_eq!(house.post().finish(SOON), []);
    assert_eq!(says(&receiver.requests()), ["dana voted no-go: fresh"]);
}

#[test]
fn cdevents_are_cloud_events_with_a_bearer() {
    let receiver = Receiver::new(&[]).unwrap();
    let url = receiver.url("/events");
    let house = House::new(&format!(
        "    - cdevents: {{ url: \"{url}\", token: {{ file: token }} }}\n"
    ));
    house.file("token", "s3cret");
    let post = house.post();
    house.no_go("not today");
    assert_eq!(post.finish(SOON), []);
    let heard = receiver.requests();
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].header("authorization"), "Bearer s3cret");
    let kind = heard[0].header("content-type");
    assert!(kind.starts_with("application/cloudevents+json"), "{kind}");
    let event = heard[0].json();
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["type"], "dev.cdeventsx.baton-handoff.nogo.0.1.0");
    assert_eq!(event["data"]["context"]["id"], event["id"]);
}

#[test]
fn without_bridges_there_is_nobody_to_tell() {
    let house = House::new("    []\n");
    assert!(house.post().is_empty());
    assert!(!house.folder.path().join(".baton").exists());
    house.file("handoff.yaml", "name: [");
    assert!(house.post().is_empty());
}
