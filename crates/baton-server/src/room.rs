//! A room: a socket, the threads that serve it, and what the routes share.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use baton_core::id::Handle;
use baton_engine::desk::{Desk, Settings, blind};
use baton_engine::failure::{Failure, Kind};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::clerk::Clerk;
use crate::doors::Doors;
use crate::follow::{Ask, Follower, News, Topic, name};
use crate::live::{Ring, Watcher};
use crate::outside::Shared;
use crate::routes;
use crate::routes::guard::Kept;
use crate::seats::Seats;

/// How long a client may take to send the head of a request.
const HEAD_MOST: Duration = Duration::from_secs(10);
/// How much of a request's head is taken: 16 KiB.
const HEAD_BYTES_MOST: usize = 16 * 1024;
/// How long a room on this machine may take to answer the door.
const KNOCK: Duration = Duration::from_millis(500);
/// The file that says where the room is.
const SIGN: &str = "room.address";
/// How many open files a room asks for, where it may have more than it has.
const FILES: u64 = 16 * 1024;
/// How many of them are left to the launch that this process may drive.
const FILES_KEPT: u64 = 512;
/// The most threads that serve: enough for ten thousand watchers, and no more
/// than a launch can spare.
const THREADS_MOST: usize = 4;
/// How long the next round waits for each watcher who is being told, twice what
/// telling takes; and at most, so that nobody hears late.
const EACH: Duration = Duration::from_micros(25);
const ROUND_MOST: Duration = Duration::from_millis(50);
/// How often the watchers are counted, and empty seats looked at.
const COUNT: Duration = Duration::from_secs(1);

/// Where a room is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

impl Default for Listen {
    /// Loopback, at a port that is free.
    fn default() -> Self {
        Self(SocketAddr::from(([127, 0, 0, 1], 0)))
    }
}

/// What the routes share.
pub(crate) struct Shop {
    /// Answers questions.
    pub(crate) reading: Clerk,
    /// Takes words down. Apart, so that nobody waits with a word for a reading.
    pub(crate) saying: Clerk,
    /// Keeps seats, which lapse while somebody else's word takes its time.
    pub(crate) seating: Clerk,
    pub(crate) follower: Follower,
    pub(crate) doors: Doors,
    pub(crate) seats: Mutex<Seats>,
    pub(crate) shared: Shared,
    pub(crate) kept: Kept,
    pub(crate) settings: Settings,
    pub(crate) reports: Mutex<routes::outside::Budget>,
}

/// An open room; it is closed when this is dropped. A run goes on without it.
pub struct Room {
    address: SocketAddr,
    doors: Doors,
    people: Vec<Handle>,
    /// Where it is written that the room is open.
    sign: PathBuf,
    close: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Room {
    /// Opens the room of a handoff.
    ///
    /// # Errors
    /// When nothing can be served there, or the room's key cannot be kept.
    pub fn open(desk: &Desk, listen: Listen) -> Result<Self, Failure> {
        let settings = desk.settings.clone();
        let own = settings.own_folder();
        let taken = |error: &std::io::Error| {
            Failure::new(Kind::Part, format!("cannot open the room at {}", listen.0))
                .because(error)
                .hint("name another address with `--listen`")
        };
        let socket = TcpListener::bind(listen.0).map_err(|error| taken(&error))?;
        socket
            .set_nonblocking(true)
            .map_err(|error| taken(&error))?;
        let address = socket.local_addr().map_err(|error| taken(&error))?;
        let shop = Doors::of(&own)?;
        let doors = Doors::of(&own)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores.min(THREADS_MOST))
            .thread_name("room")
            .enable_all()
            .build()
            .map_err(|error| taken(&error))?;
        let (close, closed) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("room".to_owned())
            .spawn(move || {
                runtime.block_on(serve(settings, shop, socket, closed));
                // Clerks and follower end by themselves once nobody can ask them.
                runtime.shutdown_background();
            })
            .map_err(|error| taken(&error))?;
        let sign = own.join(SIGN);
        fs::write(&sign, format!("http://{address}\n"))
            .map_err(|error| Failure::unwritten(&sign, &error))?;
        Ok(Self {
            address,
            doors,
            sign,
            people: desk.contract.people.keys().cloned().collect(),
            close: Some(close),
            thread: Some(thread),
        })
    }

    /// The address of the room as it is listened at, without anything that lets
    /// somebody in.
    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A link for each person that lets them in once, within twelve hours.
    pub fn links(&self) -> BTreeMap<Handle, String> {
        let people = self.people.iter();
        people
            .map(|who| {
                (
                    who.clone(),
                    link(&self.doors, &for_people(self.address), who),
                )
            })
            .collect()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // Another room may have been opened since.
        let ours = |text: String| text.trim_end() == self.address();
        if fs::read_to_string(&self.sign).is_ok_and(ours) {
            let _gone = fs::remove_file(&self.sign);
        }
        if let Some(close) = self.close.take() {
            let _over_already = close.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

/// The address of the room that was opened last for this ledger, and not closed
/// since as far as this machine knows, as people go to it.
pub fn address_of(desk: &Desk) -> Option<String> {
    let sign = desk.settings.own_folder().join(SIGN);
    let address = fs::read_to_string(sign).ok()?.trim_end().to_owned();
    let at = address
        .strip_prefix("http://")?
        .parse::<SocketAddr>()
        .ok()?;
    // One that died left its sign.
    TcpStream::connect_timeout(&reachable(at), KNOCK).ok()?;
    Some(for_people(at))
}

/// Where people go for a room that listens here: to this machine's name, when it
/// is open to everybody who can reach it.
fn for_people(at: SocketAddr) -> String {
    if !at.ip().is_unspecified() {
        return format!("http://{at}");
    }
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy().into_owned();
    format!("http://{name}:{}", at.port())
}

/// An address that a room listens at as one that can be gone to from here.
fn reachable(at: SocketAddr) -> SocketAddr {
    match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, at.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, at.port())),
        _ => at,
    }
}

/// A new link into a room that is served at `address`, by the key in the
/// folder of its ledger.
///
/// # Errors
/// When the key cannot be kept.
pub fn new_link(desk: &Desk, address: &str, who: &Handle) -> Result<String, Failure> {
    let doors = Doors::of(&desk.settings.own_folder())?;
    Ok(link(&doors, address.trim_end_matches('/'), who))
}

fn link(doors: &Doors, address: &str, who: &Handle) -> String {
    format!("{address}/in#{}", doors.link(who, Timestamp::now()))
}

async fn serve(
    settings: Settings,
    doors: Doors,
    socket: TcpListener,
    closed: oneshot::Receiver<()>,
) {
    let Ok(socket) = tokio::net::TcpListener::from_std(socket) else {
        return;
    };
    let (news, heard) = mpsc::unbounded_channel();
    let shared = Shared::default();
    let shop = Arc::new(Shop {
        reading: Clerk::hire(settings.clone()),
        saying: Clerk::hire(settings.clone()),
        seating: Clerk::hire(settings.clone()),
        follower: Follower::start(settings.clone(), news, Arc::clone(&shared)),
        doors,
        seats: Mutex::default(),
        shared,
        kept: Kept::default(),
        settings,
        reports: Mutex::default(),
    });
    let _told = tokio::spawn(tell(heard, shop.follower.clone()));
    let _looked = tokio::spawn(look(Arc::clone(&shop)));
    let router = routes::router(shop);
    tokio::select! {
        () = accept(socket, router) => {}
        _ = closed => {}
    }
}

/// Serves whoever comes. Plain HTTP/1.1: a stream for each page needs no more,
/// and a connection costs the least memory so.
async fn accept(socket: tokio::net::TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(places()));
    loop {
        // Nobody closes it.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let stream = match socket.accept().await {
            Ok((stream, _)) => stream,
            // Too many connections: those that end make room.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let _small_frames_at_once = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let mut http = hyper::server::conn::http1::Builder::new();
            let _served = http
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_MOST)
                .max_buf_size(HEAD_BYTES_MOST)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(place);
        });
    }
}

/// How many connections there may be: this process may drive a launch, whose commands
/// and files come first.
fn places() -> usize {
    let mut files = getrlimit(Resource::Nofile);
    let most = files.maximum.unwrap_or(FILES).min(FILES);
    if files.current.is_some_and(|now| now < most) {
        files.current = Some(most);
        // With fewer there is room for fewer.
        let _raised = setrlimit(Resource::Nofile, files);
    }
    let now = getrlimit(Resource::Nofile).current.unwrap_or(FILES);
    usize::try_from(now.saturating_sub(FILES_KEPT).max(16)).unwrap_or(16)
}

/// Tells watchers what the follower says, in its order. What comes while they are
/// still being told is told at once afterwards, as one write to each.
async fn tell(mut heard: mpsc::UnboundedReceiver<News>, follower: Follower) {
    let mut rings = Rings::default();
    let mut count = tokio::time::interval(COUNT);
    let mut before = BTreeMap::new();
    loop {
        let mut news = tokio::select! {
            news = heard.recv() => match news {
                Some(news) => Ok(news),
                None => return,
            },
            _ = count.tick() => {
                let watched = rings.watched();
                if watched != before {
                    before.clone_from(&watched);
                    follower.watched(watched);
                }
                continue;
            }
        };
        while let Ok(one) = news {
            rings.take(one);
            news = heard.try_recv();
        }
        let woken = rings.wake();
        if woken > 0 {
            tokio::time::sleep(ROUND_MOST.min(EACH * woken)).await;
        }
    }
}

/// Where each topic is told.
#[derive(Default)]
struct Rings {
    rings: BTreeMap<Topic, Arc<Mutex<Ring>>>,
    /// Those with frames that nobody was woken for.
    fresh: BTreeSet<Topic>,
}

impl Rings {
    fn take(&mut self, news: News) {
        match news {
            News::Tell(topic, frame) => {
                if let Some(ring) = self.rings.get(&topic) {
                    Ring::tell(ring, frame);
                    let _more = self.fresh.insert(topic);
                }
            }
            News::Watch(topic, before, to) => {
                let ring = Arc::clone(self.rings.entry(topic).or_default());
                let _gone = to.send(Watcher::new(ring, before));
            }
            News::Over(topic) => {
                if let Some(ring) = self.rings.remove(&topic) {
                    Ring::close(&ring);
                }
            }
            News::Break => {
                let rings = std::mem::take(&mut self.rings);
                rings.values().for_each(|ring| Ring::close(ring));
            }
        }
    }

    /// Wakes all who have something to hear; says how many.
    fn wake(&mut self) -> u32 {
        let fresh = std::mem::take(&mut self.fresh);
        let rings = fresh.iter().filter_map(|topic| self.rings.get(topic));
        let woken: usize = rings.map(|ring| Ring::wake(ring)).sum();
        u32::try_from(woken).unwrap_or(u32::MAX)
    }

    fn watched(&self) -> BTreeMap<String, usize> {
        let rings = self.rings.iter();
        rings
            .map(|(topic, ring)| (name(topic.as_ref()), Ring::watchers(ring)))
            .collect()
    }
}

/// Looks after seats whose pages are gone, and opens what was answered here and
/// waited for somebody elsewhere.
async fn look(shop: Arc<Shop>) {
    let mut count = tokio::time::interval(COUNT);
    let mut before = 0;
    loop {
        let _tick = count.tick().await;
        let head = shop.follower.ask(Ask::Head).await.unwrap_or_default();
        let news = std::mem::replace(&mut before, head) != head;
        // Who holds them has somebody to look after.
        let any = shop.seats.try_lock().map_or(true, |seats| seats.any());
        if !news && !any {
            continue;
        }
        let it = Arc::clone(&shop);
        let looked = shop.seating.ask(move |table| {
            let desk = table.laid()?;
            blind::open_answers(desk)?;
            routes::locked(&it.seats).look(desk)
        });
        // A ledger that cannot be written now may be soon.
        let _again = looked.await;
    }
}
