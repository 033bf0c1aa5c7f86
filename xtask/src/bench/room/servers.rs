//! What is measured: Baton as it is shipped, the floor, and what others would take.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::Value;
use tempfile::TempDir;

use super::fan::MARK;
use crate::bench::machine;
use crate::{Answer, say, shell};

/// All of them, in the order in which they are measured.
pub(super) const NAMES: [&str; 5] = [
    super::Floor::NAME,
    super::Baton::NAME,
    super::Plain::NAME,
    super::Nchan::NAME,
    super::SocketIo::NAME,
];
/// How many bytes an event has.
const EVENT: usize = 200;
/// Connections over which many events are sent at once.
const MOUTHS: usize = 8;
/// How long a server may take until it answers.
const TOO_LONG: Duration = Duration::from_secs(20);

/// A server with watchers.
pub(super) trait Server {
    fn address(&self) -> SocketAddr;
    /// The request of a watcher.
    fn request(&self) -> Vec<u8>;
    /// What a watcher says after it was answered.
    fn greeting(&self) -> &'static [u8] {
        b""
    }
    /// Writes so many events, and waits for no answer.
    fn publish(&mut self, events: usize) -> Answer<()>;
    /// What it holds of memory.
    fn rss_kib(&self) -> Answer<u64>;
}

/// Starts one of [`NAMES`]; `None` when it cannot be had here, which is said.
pub(super) fn start(name: &str, baton: &Path) -> Answer<Option<Box<dyn Server>>> {
    Ok(Some(match name {
        super::Floor::NAME => Box::new(Floor::open()?),
        super::Baton::NAME => Box::new(Baton::open(baton)?),
        super::Plain::NAME => Box::new(Plain::open()?),
        super::SocketIo::NAME => match SocketIo::open()? {
            Some(socket_io) => Box::new(socket_io),
            None => return Ok(None),
        },
        _ => match Nchan::open()? {
            Some(nchan) => Box::new(nchan),
            None => return Ok(None),
        },
    }))
}

/// Lets this process and those it starts open so many files.
pub(super) fn raise_files(wanted: u64) -> Answer<()> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|most| most < wanted) {
        return Err(format!("it needs {wanted} open files: raise `ulimit -Hn`"));
    }
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).map_err(|why| format!("cannot open {wanted} files: {why}"))
}

fn event() -> String {
    let mark = String::from_utf8_lossy(MARK);
    format!("{}{mark}", "x".repeat(EVENT - MARK.len()))
}

fn failed(why: impl std::fmt::Display) -> String {
    format!("a server of the benchmark: {why}")
}

/// A process that ends with this.
struct Running(Child);

impl Running {
    fn rss_kib(&self) -> Answer<u64> {
        let status = format!("/proc/{}/status", self.0.id());
        let text = std::fs::read_to_string(status).map_err(failed)?;
        machine::kib(&text, "VmRSS").ok_or_else(|| failed("no memory to be seen"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Connections that words are written to, and whose answers nobody waits for.
struct Mouths {
    server: SocketAddr,
    open: Vec<TcpStream>,
    used: Instant,
}

/// After how long a server may have closed a connection that nothing came over.
const IDLE: Duration = Duration::from_secs(3);

impl Mouths {
    fn open(server: SocketAddr) -> Answer<Self> {
        let open = |_| {
            let socket = TcpStream::connect(server)?;
            socket.set_nodelay(true)?;
            Ok(socket)
        };
        let open: std::io::Result<Vec<TcpStream>> = (0..MOUTHS).map(open).collect();
        Ok(Self {
            server,
            open: open.map_err(failed)?,
            used: Instant::now(),
        })
    }

    fn say(&mut self, request: &str, times: usize) -> Answer<()> {
        if self.used.elapsed() > IDLE {
            *self = Self::open(self.server)?;
        }
        for n in 0..MOUTHS.min(times) {
            let socket = &mut self.open[n];
            // What was answered to the words before.
            socket.set_nonblocking(true).map_err(failed)?;
            let mut answers = [0; 64 * 1024];
            while socket.read(&mut answers).is_ok_and(|read| read > 0) {}
            socket.set_nonblocking(false).map_err(failed)?;
            let own = (times + MOUTHS - 1 - n) / MOUTHS;
            socket
                .write_all(request.repeat(own).as_bytes())
                .map_err(failed)?;
        }
        Ok(())
    }
}

/// One thread that writes bytes it has ready to one socket after the other, in a
/// process of its own as all of them.
pub(super) struct Floor {
    running: Running,
    address: SocketAddr,
}

impl Floor {
    fn open() -> Answer<Self> {
        let mut floor = Command::new(fan_peer("floor")?);
        let (running, address) = said_address(
            floor
                .arg(String::from_utf8_lossy(MARK).as_ref())
                .stdin(Stdio::piped()),
        )?;
        Ok(Self { running, address })
    }
}

impl Server for Floor {
    fn address(&self) -> SocketAddr {
        self.address
    }
    fn request(&self) -> Vec<u8> {
        b"GET / HTTP/1.1\r\n\r\n".to_vec()
    }
    fn publish(&mut self, events: usize) -> Answer<()> {
        let input = self.running.0.stdin.as_mut().ok_or("no input")?;
        writeln!(input, "{events} {EVENT}").map_err(failed)
    }
    fn rss_kib(&self) -> Answer<u64> {
        self.running.rss_kib()
    }
}

/// The room of a small handoff, as `baton serve` opens it.
pub(super) struct Baton {
    running: Running,
    address: SocketAddr,
    cookie: String,
    mouths: Mouths,
    _folder: TempDir,
}

impl Baton {
    /// From before the start until the room answers.
    pub(super) fn ready_ms(baton: &Path) -> Answer<f64> {
        let folder = handoff(baton)?;
        let began = Instant::now();
        let (_running, said) = serve(baton, folder.path())?;
        let address = address_of(&said)?;
        while !ask(address, "GET /api/status", "", "").is_ok_and(|(status, ..)| status == 200) {
            if began.elapsed() > TOO_LONG {
                return Err(failed("baton serve does not answer"));
            }
        }
        Ok(began.elapsed().as_secs_f64() * 1000.0)
    }

    pub(super) fn open(baton: &Path) -> Answer<Self> {
        let folder = handoff(baton)?;
        let (running, said) = serve(baton, folder.path())?;
        let address = address_of(&said)?;
        let links = said["links"].as_object().ok_or("no links")?;
        let link = links.values().next().and_then(Value::as_str);
        let token = link.and_then(|link| link.split_once('#'));
        let token = token.ok_or("a link without a token")?.1;
        let body = format!("{{\"token\":\"{token}\"}}");
        let (status, head, _) = ask(address, "POST /api/enter", "", &body)?;
        let cookie = head
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "))
            .and_then(|line| line.split(';').next());
        let cookie = cookie.filter(|_| status == 200).ok_or("nobody came in")?;
        Ok(Self {
            cookie: format!("cookie: {cookie}\r\n"),
            mouths: Mouths::open(address)?,
            running,
            address,
            _folder: folder,
        })
    }

    /// What a browser is sent before the first page is there: packed, heads left out.
    pub(super) fn first_page_kib(&self) -> Answer<f64> {
        let packed = "accept-encoding: gzip\r\n";
        let (_, _, page) = ask(self.address, "GET /", "", "")?;
        let (_, _, sent) = ask(self.address, "GET /", packed, "")?;
        let page = String::from_utf8_lossy(&page).into_owned();
        let mut bytes = sent.len();
        for asset in page.split('"').filter(|word| word.starts_with("/assets/")) {
            let (status, _, sent) = ask(self.address, &format!("GET {asset}"), packed, "")?;
            if status != 200 {
                return Err(failed(format!("{asset} is not served")));
            }
            bytes += sent.len();
        }
        Ok(bytes as f64 / 1024.0)
    }
}

impl Server for Baton {
    fn address(&self) -> SocketAddr {
        self.address
    }
    fn request(&self) -> Vec<u8> {
        let cookie = &self.cookie;
        format!("GET /api/live?run=next HTTP/1.1\r\nhost: x\r\n{cookie}\r\n").into_bytes()
    }
    fn publish(&mut self, events: usize) -> Answer<()> {
        let body = format!("{{\"text\":\"{}\"}}", event());
        let request = format!(
            "POST /api/room/say HTTP/1.1\r\nhost: x\r\n{}content-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.cookie,
            body.len()
        );
        self.mouths.say(&request, events)
    }
    fn rss_kib(&self) -> Answer<u64> {
        self.running.rss_kib()
    }
}

fn handoff(baton: &Path) -> Answer<TempDir> {
    let folder = tempfile::tempdir().map_err(failed)?;
    for words in [
        "git init --quiet",
        "git config user.email dana@shop.example",
        "git config user.name Dana",
    ] {
        let mut words = words.split(' ');
        let mut git = shell::program(words.next().unwrap_or_default());
        shell::must(git.args(words).current_dir(folder.path()))?;
    }
    let mut init = Command::new(baton);
    shell::must(
        init.arg("init")
            .current_dir(folder.path())
            .stdout(Stdio::null()),
    )?;
    Ok(folder)
}

fn serve(baton: &Path, folder: &Path) -> Answer<(Running, Value)> {
    let mut serving = Command::new(baton)
        .args(["serve", "--format", "json"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let out = serving.stdout.take().ok_or("no output")?;
    let running = Running(serving);
    let said = serde_json::Deserializer::from_reader(BufReader::new(out)).into_iter();
    let said: Option<Result<Value, _>> = { said }.next();
    Ok((running, said.ok_or("nothing said")?.map_err(failed)?))
}

fn address_of(said: &Value) -> Answer<SocketAddr> {
    let address = said["address"].as_str().unwrap_or_default();
    let address = address.strip_prefix("http://").unwrap_or_default();
    address.parse().map_err(failed)
}

/// One request over a connection of its own: status, head and body.
fn ask(
    server: SocketAddr,
    what: &str,
    headers: &str,
    body: &str,
) -> Answer<(u16, String, Vec<u8>)> {
    let mut socket = TcpStream::connect(server).map_err(failed)?;
    let kind = "content-type: application/json\r\n";
    let length = body.len();
    write!(
        socket,
        "{what} HTTP/1.1\r\nhost: {server}\r\n{headers}{kind}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .map_err(failed)?;
    let mut all = Vec::new();
    let _bytes = socket.read_to_end(&mut all).map_err(failed)?;
    let end = all.windows(4).position(|at| at == b"\r\n\r\n");
    let end = end.ok_or_else(|| failed("no answer"))?;
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| failed("no status"))?;
    Ok((status, head, all.split_off(end + 4)))
}

/// axum's own way to send events, as its documentation shows it.
pub(super) struct Plain {
    running: Running,
    address: SocketAddr,
    mouths: Mouths,
}

impl Plain {
    fn open() -> Answer<Self> {
        let (running, address) = said_address(&mut Command::new(fan_peer("axum")?))?;
        Ok(Self {
            running,
            address,
            mouths: Mouths::open(address)?,
        })
    }
}

/// One of the programs in `bench/peers/fan`, built.
fn fan_peer(name: &str) -> Answer<PathBuf> {
    let target = shell::root().join("target/bench-peers/fan");
    let mut build = shell::cargo("build --release --quiet --locked");
    let build = build.current_dir(shell::root().join("bench/peers/fan"));
    shell::must(build.env("CARGO_TARGET_DIR", &target))?;
    Ok(target.join("release").join(name))
}

/// Starts what prints its address in its first line.
fn said_address(command: &mut Command) -> Answer<(Running, SocketAddr)> {
    let mut running = Running(command.stdout(Stdio::piped()).spawn().map_err(failed)?);
    let out = running.0.stdout.take().ok_or("no output")?;
    let mut line = String::new();
    let _read = BufReader::new(out).read_line(&mut line).map_err(failed)?;
    let address = line.trim().parse().map_err(failed)?;
    Ok((running, address))
}

/// socket.io in Node, over WebSocket.
pub(super) struct SocketIo {
    running: Running,
    address: SocketAddr,
    mouths: Mouths,
}

impl SocketIo {
    const PACKAGE: &str = "socket.io@4.8.4";

    fn open() -> Answer<Option<Self>> {
        let folder = shell::root().join("target/bench-peers/node");
        let module = folder.join("node_modules/socket.io/dist/index.js");
        if !module.exists() {
            let npm = ["install", "--silent", "--no-audit", "--no-fund", "--prefix"];
            let mut install = Command::new("npm");
            // Whether it is there is seen below.
            let _status = install.args(npm).arg(&folder).arg(Self::PACKAGE).status();
        }
        if !module.exists() {
            say::aside("without socket.io: npm cannot install it\n");
            return Ok(None);
        }
        let mut node = Command::new("node");
        let script = shell::root().join("bench/peers/fan/socketio.mjs");
        let (running, address) = said_address(node.arg(script).arg(module))?;
        Ok(Some(Self {
            running,
            address,
            mouths: Mouths::open(address)?,
        }))
    }
}

impl Server for SocketIo {
    fn address(&self) -> SocketAddr {
        self.address
    }
    fn request(&self) -> Vec<u8> {
        let upgrade = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: x\r\n\
                       connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
        upgrade.as_bytes().to_vec()
    }
    fn greeting(&self) -> &'static [u8] {
        // "40" enters; from a client it is a text frame under a mask, here of zeros
        // (RFC 6455, section 5).
        b"\x81\x82\0\0\0\x0040"
    }
    fn publish(&mut self, events: usize) -> Answer<()> {
        self.mouths.say(&post("/say"), events)
    }
    fn rss_kib(&self) -> Answer<u64> {
        self.running.rss_kib()
    }
}

impl Server for Plain {
    fn address(&self) -> SocketAddr {
        self.address
    }
    fn request(&self) -> Vec<u8> {
        b"GET /live HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()
    }
    fn publish(&mut self, events: usize) -> Answer<()> {
        self.mouths.say(&post("/say"), events)
    }
    fn rss_kib(&self) -> Answer<u64> {
        self.running.rss_kib()
    }
}

fn post(path: &str) -> String {
    let body = event();
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// nginx with nchan, one process.
pub(super) struct Nchan {
    running: Running,
    address: SocketAddr,
    mouths: Mouths,
    _folder: TempDir,
}

impl Nchan {
    fn open() -> Answer<Option<Self>> {
        const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";
        if !Path::new(MODULE).exists() {
            say::aside("without nchan: Debian's nginx-light and libnginx-mod-nchan have it\n");
            return Ok(None);
        }
        let folder = tempfile::tempdir().map_err(failed)?;
        let free = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let address = free.local_addr().map_err(failed)?;
        drop(free);
        let at = folder.path().display();
        let config = format!(
            "load_module {MODULE};\ndaemon off;\nmaster_process off;\npid {at}/pid;\nerror_log {at}/errors;\n\
             worker_rlimit_nofile 20000;\nevents {{ worker_connections 15000; }}\nhttp {{ access_log off;\n\
             client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/f;\n\
             uwsgi_temp_path {at}/u; scgi_temp_path {at}/s; keepalive_requests 100000;\n\
             server {{ listen {address} backlog=4096; nchan_channel_id room;\n\
             location = /live {{ nchan_subscriber eventsource; nchan_subscriber_first_message newest; }}\n\
             location = /say {{ nchan_publisher; }} }} }}\n"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config).map_err(failed)?;
        let mut nginx = shell::program("/usr/sbin/nginx");
        let nginx = nginx.arg("-p").arg(folder.path()).arg("-c").arg(&file);
        let running = Running(
            nginx
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .map_err(failed)?,
        );
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if began.elapsed() > TOO_LONG {
                return Err(failed("nginx does not answer"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Some(Self {
            mouths: Mouths::open(address)?,
            running,
            address,
            _folder: folder,
        }))
    }
}

impl Server for Nchan {
    fn address(&self) -> SocketAddr {
        self.address
    }
    fn request(&self) -> Vec<u8> {
        b"GET /live HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n".to_vec()
    }
    fn publish(&mut self, events: usize) -> Answer<()> {
        self.mouths.say(&post("/say"), events)
    }
    fn rss_kib(&self) -> Answer<u64> {
        self.running.rss_kib()
    }
}
