//! The room in the browser, spoken to as a browser would: the real server of the
//! real binary, over real sockets.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::env::{Running, TestEnv};
use crate::room::but_for_the_room;
use crate::run::{step, with};

/// A room that is open, and how people come in.
struct Served {
    running: Option<Running>,
    address: String,
    links: Value,
}

impl Served {
    fn open(env: &TestEnv) -> Self {
        Self::at(env, "127.0.0.1:0")
    }

    fn at(env: &TestEnv, listen: &str) -> Self {
        let mut running = env.start("omar", &["serve", "--listen", listen, "--format", "json"]);
        let said: Value = serde_json::from_str(&running.document()).unwrap();
        Self {
            running: Some(running),
            address: said["address"].as_str().unwrap().to_owned(),
            links: said["links"].clone(),
        }
    }

    fn token(&self, who: &str) -> String {
        let link = self.links[who].as_str().unwrap();
        link.split_once("/in#").unwrap().1.to_owned()
    }

    /// Somebody who came in by their link.
    fn visitor(&self, who: &str) -> Visitor {
        let nobody = Visitor::nobody(&self.address);
        let token = self.token(who);
        let answer = nobody.post("/api/enter", &json!({ "token": token }));
        assert_eq!(answer.status(), 200);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Visitor { cookie, ..nobody }
    }

    fn close(mut self) {
        if let Some(running) = self.running.take() {
            running.signal(Signal::INT);
            let _closed = running.finish().exits(0);
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.signal(Signal::KILL);
        }
    }
}

/// Somebody with a browser.
#[derive(Clone)]
struct Visitor {
    agent: Agent,
    address: String,
    cookie: String,
}

impl Visitor {
    fn nobody(address: &str) -> Self {
        let config = Agent::config_builder().http_status_as_error(false);
        Self {
            agent: config.build().into(),
            address: address.to_owned(),
            cookie: String::new(),
        }
    }

    fn get(&self, path: &str) -> Response<Body> {
        let request = self.agent.get(format!("{}{path}", self.address));
        request.header("cookie", &self.cookie).call().unwrap()
    }

    fn json(&self, path: &str) -> Value {
        let mut answer = self.get(path);
        let text = answer.body_mut().read_to_string().unwrap();
        assert_eq!(answer.status(), 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> Response<Body> {
        self.post_with(path, body, &[])
    }

    fn post_with(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Response<Body> {
        let mut request = self.agent.post(format!("{}{path}", self.address));
        request = request
            .header("cookie", &self.cookie)
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send(body.to_string()).unwrap()
    }

    /// Sits down at a visible page until this is dropped, as a page does: with a
    /// sign of life every two seconds.
    fn sits(&self) -> mpsc::Sender<()> {
        let me = self.clone();
        let beat = json!({ "visible": true, "page": "run" });
        assert_eq!(self.post("/api/room/seat", &beat).status(), 200);
        let (up, down) = mpsc::channel();
        let _thread = std::thread::spawn(move || {
            while down.recv_timeout(Duration::from_secs(2)) == Err(RecvTimeoutError::Timeout) {
                let _kept = me.post("/api/room/seat", &beat);
            }
        });
        up
    }

    /// Watches, from behind an entry when one is named.
    fn watch(&self, run: &str, after: Option<u64>) -> Stream {
        let mut stream = TcpStream::connect(self.address.strip_prefix("http://").unwrap()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let after = after.map_or(String::new(), |id| format!("last-event-id: {id}\r\n"));
        let cookie = &self.cookie;
        write!(
            stream,
            "GET /api/live?run={run} HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\n{after}\r\n"
        )
        .unwrap();
        Stream(BufReader::new(stream))
    }
}

/// A stream of events.
struct Stream(BufReader<TcpStream>);

impl Stream {
    /// The next event of a kind: its id and data.
    fn next(&mut self, kind: &str) -> (Option<u64>, Value) {
        let (mut event, mut id, mut line) = (String::new(), None, String::new());
        loop {
            line.clear();
            let read = self.0.read_line(&mut line).unwrap();
            assert!(read > 0, "the stream ended before {kind}");
            assert!(
                !line.starts_with(':'),
                "nothing but signs of life before {kind}"
            );
            if let Some(name) = line.strip_prefix("event: ") {
                (event, id) = (name.trim().to_owned(), None);
            } else if let Some(number) = line.strip_prefix("id: ") {
                id = number.trim().parse().ok();
            } else if let Some(data) = line.strip_prefix("data: ")
                && event == kind
            {
                return (id, serde_json::from_str(data).unwrap());
            }
        }
    }
}

#[test]
fn a_link_lets_one_person_in_once_and_nothing_else_does() {
    let env = with(&step("one", "", "true", "true"));
    let room = Served::open(&env);
    let nobody = Visitor::nobody(&room.address);
    let me = nobody.get("/api/me");
    assert_eq!(me.status(), 401);
    assert_eq!(me.headers()["content-type"], "application/problem+json");
    let omar = room.visitor("omar");
    assert_eq!(omar.json("/api/me")["handle"], "omar");
    let token = json!({ "token": room.token("omar") });
    assert_eq!(nobody.post("/api/enter", &token).status(), 403, "used");
    let forged = json!({ "token": room.token("lee").replacen("6c6565", "70696100", 1) });
    assert_eq!(nobody.post("/api/enter", &forged).status(), 403, "forged");
    // A new one, for whoever lost theirs.
    let link = env.says("omar", &["link", "omar"]).exits(0).out;
    let token = link.trim().split_once("/in#").unwrap().1.to_owned();
    let again = nobody.post("/api/enter", &json!({ "token": token }));
    assert_eq!(again.status(), 200);
    // No token and no cookie is kept anywhere but where it is checked.
    for secret in [room.token("omar"), token, omar.cookie.clone()] {
        assert!(!env.own_folder_holds(&secret));
    }
    for path in [
        "/api/handoff",
        "/api/runs",
        "/api/runs/next",
        "/api/live?run=next",
        "/api/attempts/a/output",
    ] {
        assert_eq!(nobody.get(path).status(), 401, "{path}");
    }
    for path in [
        "/api/offer",
        "/api/runs/x/stop",
        "/api/runs/x/steps/one/done",
    ] {
        assert_eq!(nobody.post(path, &json!({})).status(), 401, "{path}");
    }
    assert_eq!(nobody.get("/api/status").status(), 200);
    room.close();
    let none = env.says("omar", &["link", "omar"]).exits(1);
    assert!(none.err.contains("no room is open"), "{}", none.err);
}

#[test]
fn a_word_is_taken_only_from_our_own_page_and_once_for_each_key() {
    let env = with(&step("one", "", "true", "true"));
    let room = Served::open(&env);
    let omar = room.visitor("omar");
    let text = json!({ "text": "hello" });
    let own = room.address.clone();
    for (headers, status) in [
        (vec![("origin", "http://evil.example")], 403),
        (vec![("origin", "null")], 403),
        (vec![("sec-fetch-site", "cross-site")], 403),
        (vec![("sec-fetch-site", "same-site")], 403),
        (
            vec![("sec-fetch-site", "same-origin"), ("origin", own.as_str())],
            204,
        ),
    ] {
        let answer = omar.post_with("/api/room/say", &text, &headers);
        assert_eq!(answer.status(), status, "{headers:?}");
    }
    let form = omar.agent.post(format!("{}/api/room/say", room.address));
    let form = form.header("cookie", &omar.cookie);
    let form = form.header("content-type", "text/plain");
    let form = form.send(text.to_string()).unwrap();
    assert_eq!(form.status(), 415, "what a form can send is no word");

    let key = [("idempotency-key", "k1")];
    let once = json!({ "text": "only once" });
    for _ in 0..3 {
        assert_eq!(omar.post_with("/api/room/say", &once, &key).status(), 204);
    }
    let other = json!({ "text": "something else" });
    assert_eq!(omar.post_with("/api/room/say", &other, &key).status(), 409);
    let lines = omar.json("/api/runs/next/timeline");
    let lines = lines["lines"].as_array().unwrap();
    let says: Vec<_> = lines.iter().map(|line| &line["says"]).collect();
    assert_eq!(says, ["omar: hello", "omar: only once"]);

    let headers = omar.get("/").headers().clone();
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
    let most = json!({ "text": "x".repeat(100_000) });
    assert_eq!(omar.post("/api/room/say", &most).status(), 413);
    let ghost = json!({ "text": "look twice", "touches": ["shop"], "run": "", "owner": "ghost" });
    assert_eq!(omar.post("/api/lessons", &ghost).status(), 400);
    let mine = json!({ "text": "look twice", "touches": ["shop"], "run": "", "owner": "omar" });
    assert_eq!(omar.post("/api/lessons", &mine).status(), 204);
    let empty = json!({ "text": " " });
    assert_eq!(omar.post("/api/room/say", &empty).status(), 400);
    room.close();
}

/// Who hangs up before the answer, and sends the same word again, is answered.
#[test]
fn a_word_is_taken_down_once_also_when_its_sender_hangs_up() {
    let env = with(&step("one", "", "true", "true"));
    let room = Served::open(&env);
    let omar = room.visitor("omar");
    let body = json!({ "text": "hello" }).to_string();
    let mut line = TcpStream::connect(omar.address.strip_prefix("http://").unwrap()).unwrap();
    let (cookie, length) = (&omar.cookie, body.len());
    write!(
        line,
        "POST /api/room/say HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\nidempotency-key: k\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    drop(line);
    let key = [("idempotency-key", "k")];
    let again = || omar.post_with("/api/room/say", &json!({ "text": "hello" }), &key);
    let began = Instant::now();
    while again().status() == 409 {
        assert!(began.elapsed() < Duration::from_secs(30), "it is stranded");
    }
    assert_eq!(again().status(), 204);
    let lines = omar.json("/api/runs/next/timeline");
    let said = lines["lines"].as_array().unwrap().iter();
    assert_eq!(said.filter(|line| line["says"] == "omar: hello").count(), 1);
    room.close();
}

#[test]
fn the_stream_goes_on_over_a_restart_with_nothing_lost_or_doubled() {
    let env = with(&step("one", "", "true", "true"));
    let room = Served::open(&env);
    let (omar, pia) = (room.visitor("omar"), room.visitor("pia"));
    let mut watched = pia.watch("next", None);
    assert_eq!(watched.next("hello").1["seq"], 0);
    let say = |who: &Visitor, text: &str| {
        let said = who.post("/api/room/say", &json!({ "text": text }));
        assert_eq!(said.status(), 204);
    };
    say(&omar, "one <script>alert(1)</script>");
    let (seen, line) = watched.next("feed");
    assert_eq!(line["says"], "omar: one <script>alert(1)</script>");
    let port = room.address.clone();
    let port = port.strip_prefix("http://").unwrap();
    room.close();
    let _said = env.says("lee", &["say", "two"]).exits(0);
    let room = Served::at(&env, port);
    // The cookie of before still stands, and what was missed is told once.
    let mut watched = pia.watch("next", seen);
    let _hello = watched.next("hello");
    say(&omar, "three");
    let heard: Vec<Value> = (0..2)
        .map(|_| watched.next("feed").1["says"].clone())
        .collect();
    assert_eq!(heard, ["lee: two", "omar: three"]);
    room.close();
}

/// Who reloads a page leaves nobody alone; who closes it is gone soon after.
#[test]
fn a_page_that_is_loaded_again_keeps_its_seat() {
    let env = with(&step("one", "", "true", "true"));
    let room = Served::open(&env);
    let (omar, pia) = (room.visitor("omar"), room.visitor("pia"));
    let mut watched = pia.watch("next", None);
    let mut here = || {
        let (_, seats) = watched.next("seats");
        let people = seats["people"].as_array().unwrap().clone();
        let omar = people.iter().find(|seat| seat["handle"] == "omar").unwrap();
        omar["present"] == true
    };
    let beat = |visible| json!({ "visible": visible, "page": "run" });
    assert_eq!(omar.post("/api/room/seat", &beat(true)).status(), 200);
    while !here() {}
    for visible in [false, true, false] {
        assert_eq!(omar.post("/api/room/seat", &beat(visible)).status(), 200);
    }
    let closed = Instant::now();
    while here() {}
    assert!(closed.elapsed() > Duration::from_secs(1), "he was loading");
    room.close();
}

#[test]
fn a_launch_is_opened_joined_and_accepted_from_the_page() {
    let held = "echo working; test ! -e hold || while test ! -e go; do sleep 0.05; done; echo done";
    let env = but_for_the_room(&step("one", "", held, "true"));
    env.write("hold", "");
    let room = Served::open(&env);
    let (omar, pia) = (room.visitor("omar"), room.visitor("pia"));
    let mut coming = pia.watch("next", None);
    let _seats = [omar.sits(), pia.sits()];
    for who in [&omar, &pia] {
        let vote = json!({ "go": true, "confidence": 4 });
        assert_eq!(who.post("/api/room/vote", &vote).status(), 204);
    }
    let mut launch = env.start("omar", &["launch"]);
    launch.reads("launching shop");
    let run = coming.next("opened").1["run"].as_str().unwrap().to_owned();
    let mut watched = pia.watch(&run, None);
    // What the command prints is heard while it is under way.
    let (_, piece) = watched.next("output");
    assert_eq!(piece["text"], "working\n");
    let seen = omar.json(&format!("/api/runs/{run}"));
    assert_eq!(
        (&seen["kind"], &seen["driven"]),
        (&json!("launch"), &json!(true))
    );
    let attempt = piece["attempt"].as_str().unwrap().to_owned();
    let paused = omar.post(
        &format!("/api/runs/{run}/pause"),
        &json!({ "because": "a look" }),
    );
    assert_eq!(paused.status(), 204);
    assert_eq!(watched.next("run").1["mode"], "pausing");
    env.write("go", "");
    while watched.next("run").1["mode"] != "paused" {}
    let halted = omar.json(&format!("/api/runs/{run}"));
    assert_eq!(halted["waits"][0]["actions"], json!(["resume"]));
    let output = pia.json(&format!("/api/attempts/{attempt}/output"));
    assert_eq!(
        output,
        json!({ "text": "working\ndone\n", "next": 13, "complete": true })
    );
    goes_on_without_its_driver((&omar, &pia), &launch, &run, &mut watched);
    room.close();
}

/// A paused launch whose driver was killed is driven on by a word from the page.
fn goes_on_without_its_driver(
    (omar, pia): (&Visitor, &Visitor),
    launch: &Running,
    run: &str,
    watched: &mut Stream,
) {
    launch.signal(Signal::KILL);
    while watched.next("run").1["driven"] != false {}
    assert_eq!(
        omar.post(&format!("/api/runs/{run}/resume"), &json!({}))
            .status(),
        204
    );
    let taken = loop {
        let (_, patch) = watched.next("run");
        let waits = patch["waits"].as_array().cloned().unwrap_or_default();
        if waits
            .iter()
            .any(|wait| wait["actions"] == json!(["accept-live"]))
        {
            break pia.post(&format!("/api/runs/{run}/accept-live"), &json!({}));
        }
    };
    assert_eq!(taken.status(), 204);
    let ended = loop {
        let (_, patch) = watched.next("run");
        if patch["ended"]["outcome"].is_string() {
            break patch;
        }
    };
    assert_eq!(ended["ended"]["outcome"], "succeeded");
    let again = omar.post(&format!("/api/runs/{run}/stop"), &json!({}));
    assert_eq!(again.status(), 409, "it is over");
    let status = omar.json("/api/status");
    assert_eq!(
        (&status["state"], &status["version"]),
        (&json!("fine"), &json!("2.4.0"))
    );
    // Every word stands in the ledger under the name of who said it.
    let lines = omar.json(&format!("/api/runs/{run}/timeline"));
    let lines: Vec<&Value> = lines["lines"].as_array().unwrap().iter().collect();
    let by = |text: &str| {
        let line = lines
            .iter()
            .find(|line| line["says"].as_str().unwrap().contains(text));
        line.map(|line| line["by"].clone())
    };
    assert_eq!(by("a look"), Some(json!("omar")));
    assert_eq!(by("took over"), Some(json!("pia")));
    // It begins with how they came to launch.
    assert_eq!(lines[0]["says"], "omar came into the room");
    assert_eq!(by("voted go"), Some(json!("omar")));
    // The next one begins anew.
    let next = omar.json("/api/runs/next/timeline");
    let says = |line: &Value| line["says"].as_str().unwrap().contains("voted go");
    assert!(!next["lines"].as_array().unwrap().iter().any(says));
}

#[test]
fn the_public_reports_and_reads_only_what_is_theirs() {
    let env = with(&step("one", "", "true", "true"));
    let room = Served::open(&env);
    let nobody = Visitor::nobody(&room.address);
    let omar = room.visitor("omar");
    let report = json!({ "says": "the cart is <b>empty</b>", "contact": "ann@example.com" });
    assert_eq!(nobody.post("/api/status/reports", &report).status(), 204);
    let lines = omar.json("/api/runs/next/timeline");
    let line = &lines["lines"][0];
    assert_eq!(line["kind"], "reported");
    assert_eq!(
        line["says"],
        "somebody reports a problem: the cart is <b>empty</b> (reach them by ann@example.com)"
    );
    for wrong in [json!({ "says": "" }), json!({ "says": "x".repeat(1001) })] {
        assert_eq!(nobody.post("/api/status/reports", &wrong).status(), 400);
    }
    let answers = (0..30).map(|_| {
        nobody
            .post("/api/status/reports", &report)
            .status()
            .as_u16()
    });
    let refused = answers.filter(|status| *status == 429).count();
    assert_eq!(refused, 11, "nineteen more are taken");
    room.close();
}
