//! One thread that holds every watcher, the same for all servers: it writes one
//! event, and notes when each socket has read it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;

use super::servers::Server;
use crate::Answer;

/// How long a server may take for one event to reach all.
const TOO_LONG: Duration = Duration::from_secs(20);

/// Watchers of one server.
pub(super) struct Fan {
    sockets: Vec<TcpStream>,
    poll: OwnedFd,
    buffer: Vec<u8>,
    /// For each socket how many marks it has read.
    read: Vec<usize>,
    /// For each socket how much of a mark its last bytes were.
    part: Vec<u8>,
}

/// Every event ends with it, and nothing else holds it.
pub(super) const MARK: &[u8; 8] = b"#~mark~#";

impl Fan {
    /// Opens `count` watchers and waits until each was answered.
    pub(super) fn open(of: &dyn Server, count: usize) -> Answer<Self> {
        let (server, request) = (of.address(), of.request());
        let failed = |why: &dyn std::fmt::Display| format!("cannot watch {server}: {why}");
        let poll = epoll::create(CreateFlags::CLOEXEC).map_err(|why| failed(&why))?;
        let mut sockets = Vec::with_capacity(count);
        for n in 0..count {
            let mut socket = TcpStream::connect(server).map_err(|why| failed(&why))?;
            socket.write_all(&request).map_err(|why| failed(&why))?;
            epoll::add(
                &poll,
                socket.as_fd(),
                EventData::new_u64(n as u64),
                EventFlags::IN,
            )
            .map_err(|why| failed(&why))?;
            sockets.push(socket);
        }
        for socket in &mut sockets {
            let set = socket.set_read_timeout(Some(TOO_LONG));
            set.map_err(|why| failed(&why))?;
            answered(socket).map_err(|why| failed(&why))?;
            let greeted = socket.write_all(of.greeting());
            greeted.map_err(|why| failed(&why))?;
            let set = socket.set_nonblocking(true);
            set.map_err(|why| failed(&why))?;
        }
        let mut fan = Self {
            read: vec![0; sockets.len()],
            part: vec![0; sockets.len()],
            sockets,
            poll,
            buffer: vec![0; 256 * 1024],
        };
        fan.settle()?;
        Ok(fan)
    }

    /// Reads what is still on its way.
    fn settle(&mut self) -> Answer<()> {
        while self.look(Duration::from_millis(200), &mut |_, _| ())? > 0 {}
        self.read.fill(0);
        Ok(())
    }

    /// Has `publish` write `events` events, and says how long after each socket
    /// had read all of them, in milliseconds.
    pub(super) fn tell(
        &mut self,
        events: usize,
        publish: &mut dyn FnMut() -> Answer<()>,
    ) -> Answer<Vec<f64>> {
        self.read.fill(0);
        let mut took = Vec::with_capacity(self.sockets.len());
        let began = Instant::now();
        publish()?;
        while took.len() < self.sockets.len() {
            if began.elapsed() > TOO_LONG {
                let (there, all) = (took.len(), self.sockets.len());
                return Err(format!("an event reached {there} of {all} watchers"));
            }
            let _events = self.look(Duration::from_millis(100), &mut |before, now| {
                if before < events && now >= events {
                    took.push(began.elapsed().as_secs_f64() * 1000.0);
                }
            })?;
        }
        Ok(took)
    }

    /// Reads whatever is ready; `seen` hears of marks a socket had and has.
    fn look(&mut self, patience: Duration, seen: &mut dyn FnMut(usize, usize)) -> Answer<usize> {
        let mut ready = Vec::with_capacity(1024);
        let wait = rustix::event::Timespec {
            tv_sec: patience.as_secs().try_into().unwrap_or(0),
            tv_nsec: patience.subsec_nanos().into(),
        };
        let count = epoll::wait(
            &self.poll,
            rustix::buffer::spare_capacity(&mut ready),
            Some(&wait),
        )
        .map_err(|why| format!("cannot wait: {why}"))?;
        for event in ready.drain(..) {
            let n = usize::try_from(event.data.u64()).unwrap_or(0);
            let before = self.read[n];
            match self.sockets[n].read(&mut self.buffer) {
                Ok(0) => return Err("a server ended the stream of a watcher".to_owned()),
                Ok(bytes) => {
                    let (marks, part) = marks(&self.buffer[..bytes], self.part[n]);
                    self.read[n] += marks;
                    self.part[n] = part;
                }
                Err(why) if why.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(why) => return Err(format!("a watcher cannot read: {why}")),
            }
            seen(before, self.read[n]);
        }
        Ok(count)
    }
}

/// Waits for the head of an answer.
fn answered(socket: &mut TcpStream) -> Result<(), String> {
    let mut head = Vec::new();
    let mut byte = [0; 1];
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            Ok(_) => return Err("it hung up".to_owned()),
            Err(why) => return Err(why.to_string()),
        }
    }
    let line = String::from_utf8_lossy(&head);
    if ["HTTP/1.1 200", "HTTP/1.1 101"]
        .iter()
        .any(|good| line.starts_with(good))
    {
        Ok(())
    } else {
        Err(line.lines().next().unwrap_or_default().to_owned())
    }
}

/// How many marks end in these bytes, after `part` bytes of one; and how much of
/// another they end with.
fn marks(bytes: &[u8], part: u8) -> (usize, u8) {
    let (mut at, mut count) = (usize::from(part), 0);
    for &byte in bytes {
        at = match byte == MARK[at] {
            true => at + 1,
            false => usize::from(byte == MARK[0]),
        };
        if at == MARK.len() {
            (at, count) = (0, count + 1);
        }
    }
    (count, u8::try_from(at).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_counted_however_they_are_cut() {
        let text = b"data: x#~mark~#\n\n##~mark~#~#~mark~#";
        let (count, part) = marks(text, 0);
        assert_eq!((count, part), (3, 0));
        for cut in 0..text.len() {
            let (first, part) = marks(&text[..cut], 0);
            let (second, _) = marks(&text[cut..], part);
            assert_eq!(first + second, 3, "{cut}");
        }
    }
}
