//! A receiver of HTTP requests on loopback, which answers as it is told to.
//!
//! It speaks as much HTTP/1.1 as clients of webhooks need: one request on a
//! connection, a body of a known length. It keeps every request that it read to
//! the end, also those it then fails.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The longest that a test waits for something that has to happen.
const SOON: Duration = Duration::from_secs(60);

/// What a receiver does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Answers with this status and an empty body.
    Answer(u16),
    /// Answers with this status, a header and an empty body.
    With(u16, &'static str, &'static str),
    /// Closes the connection without an answer.
    Close,
    /// Answers nothing until the sender goes away.
    Hold,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `POST`.
    pub method: String,
    /// `/hook`.
    pub path: String,
    /// By their names in small letters.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
    /// What was done with it.
    pub act: Act,
}

impl Request {
    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

#[derive(Default)]
struct Heard {
    script: VecDeque<Act>,
    requests: Vec<Request>,
}

/// A receiver. It lives as long as the process.
#[derive(Clone)]
pub struct Receiver {
    at: SocketAddr,
    heard: Arc<(Mutex<Heard>, Condvar)>,
}

impl Receiver {
    /// Listens on a free port, does what the script says with the first requests
    /// and answers the others with 200.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn new(script: &[Act]) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let heard = Heard {
            script: script.iter().copied().collect(),
            requests: Vec::new(),
        };
        let receiver = Self {
            at: listener.local_addr()?,
            heard: Arc::new((Mutex::new(heard), Condvar::new())),
        };
        let hears = receiver.clone();
        let _thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let hears = hears.clone();
                // A sender that goes away has its test fail, not the receiver.
                let _thread = thread::spawn(move || hears.serve(stream));
            }
        });
        Ok(receiver)
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }

    /// Everything that was heard so far.
    pub fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    /// Waits until so many requests were heard of which this holds, and returns
    /// all that were heard. After a minute it returns what there is.
    pub fn until(&self, count: usize, holds: impl Fn(&Request) -> bool) -> Vec<Request> {
        let few = |heard: &mut Heard| heard.requests.iter().filter(|it| holds(it)).count() < count;
        let waited = self.heard.1.wait_timeout_while(self.lock(), SOON, few);
        let (heard, _) = waited.unwrap_or_else(PoisonError::into_inner);
        heard.requests.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut request = read(&mut reader)?;
        let mut heard = self.lock();
        let act = heard.script.pop_front().unwrap_or(Act::Answer(200));
        request.act = act;
        heard.requests.push(request);
        drop(heard);
        self.heard.1.notify_all();
        let mut stream = reader.into_inner();
        let mut answer = |status: u16, header: &str| {
            write!(
                stream,
                "HTTP/1.1 {status} So\r\n{header}content-length: 0\r\nconnection: close\r\n\r\n"
            )
            .ok()
        };
        match act {
            Act::Answer(status) => answer(status, ""),
            Act::With(status, name, value) => answer(status, &format!("{name}: {value}\r\n")),
            Act::Close => None,
            Act::Hold => stream.read(&mut [0]).ok().map(drop),
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    let _length = reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace().map(ToOwned::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        let _length = reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let _before = headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        path,
        headers,
        body,
        act: Act::Close,
    })
}
