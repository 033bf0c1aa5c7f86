//! The stream: what everybody who watches the same thing is told, written once
//! and shared.
//!
//! A [`Ring`] holds the latest frames of one topic as bytes. Each watcher is a
//! place in it and nothing more; those who are at the same place get the same
//! bytes, several frames joined into one write. Who falls behind the oldest
//! frame is cut, and comes back with `Last-Event-ID`.
//!
//! Frames are told in one order by one task; watchers are polled by every thread
//! of the room's runtime, and hold the ring for no longer than it takes to look.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};

/// The most frames that are kept for those who are behind.
const FRAMES_MOST: usize = 8192;
/// The most bytes of them.
const BYTES_MOST: usize = 4 * 1024 * 1024;
/// The most that is joined into one write.
const WRITE_MOST: usize = 64 * 1024;

/// The latest frames of one topic.
#[derive(Default)]
pub(crate) struct Ring {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// The place of the first frame that is kept.
    first: u64,
    wakers: Vec<Waker>,
    /// How often the watchers were woken.
    woken: u64,
    /// What was joined last: from where, to where, and the bytes.
    joined: Option<(u64, u64, Bytes)>,
    watchers: usize,
    closed: bool,
}

impl Ring {
    /// Keeps a frame for all watchers, who hear of it when they are woken.
    pub(crate) fn tell(ring: &Mutex<Self>, frame: Bytes) {
        let mut it = open(ring);
        it.bytes += frame.len();
        it.frames.push_back(frame);
        while it.frames.len() > FRAMES_MOST || it.bytes > BYTES_MOST {
            let Some(oldest) = it.frames.pop_front() else {
                break;
            };
            it.bytes -= oldest.len();
            it.first += 1;
        }
    }

    /// Ends the stream of every watcher.
    pub(crate) fn close(ring: &Mutex<Self>) {
        let mut it = open(ring);
        it.closed = true;
        drop(it);
        let _woken = Self::wake(ring);
    }

    /// How many watch.
    pub(crate) fn watchers(ring: &Mutex<Self>) -> usize {
        open(ring).watchers
    }

    /// Wakes whoever waits; says how many did.
    pub(crate) fn wake(ring: &Mutex<Self>) -> usize {
        let mut it = open(ring);
        it.woken += 1;
        let wakers = std::mem::take(&mut it.wakers);
        // Who is woken looks at once.
        drop(it);
        let woken = wakers.len();
        wakers.into_iter().for_each(Waker::wake);
        woken
    }

    fn end(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    /// The bytes from a place on, and the place behind them; `None` for a place
    /// whose frames are gone.
    fn from(&mut self, at: u64) -> Option<(Bytes, u64)> {
        let skip = usize::try_from(at.checked_sub(self.first)?).ok()?;
        if let Some((from, to, bytes)) = &self.joined
            && *from == at
            && (*to == self.end() || bytes.len() >= WRITE_MOST)
        {
            return Some((bytes.clone(), *to));
        }
        let mut frames = self.frames.iter().skip(skip);
        let first = frames.next()?.clone();
        let mut to = at + 1;
        let Some(second) = frames.next() else {
            return Some((first, to));
        };
        let mut joined = BytesMut::with_capacity(first.len() + second.len());
        joined.extend_from_slice(&first);
        for frame in std::iter::once(second).chain(frames) {
            if joined.len() >= WRITE_MOST {
                break;
            }
            joined.extend_from_slice(frame);
            to += 1;
        }
        let joined = joined.freeze();
        self.joined = Some((at, to, joined.clone()));
        Some((joined, to))
    }
}

/// Whoever panicked while telling left a whole ring: every change is one step.
fn open(ring: &Mutex<Ring>) -> MutexGuard<'_, Ring> {
    ring.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One watcher: the body of its answer.
pub(crate) struct Watcher {
    ring: Arc<Mutex<Ring>>,
    at: u64,
    /// Where its waker stands, and since which waking.
    waits: Option<(u64, usize)>,
    /// What it is told before the ring: greeting, and what it missed.
    before: Option<Bytes>,
}

impl Watcher {
    /// A watcher that is told `before`, and then every frame from now on.
    pub(crate) fn new(ring: Arc<Mutex<Ring>>, before: Bytes) -> Self {
        let at = {
            let mut it = open(&ring);
            it.watchers += 1;
            it.end()
        };
        Self {
            ring,
            at,
            waits: None,
            before: Some(before),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        open(&self.ring).watchers -= 1;
    }
}

impl Body for Watcher {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(before) = self.before.take() {
            return Poll::Ready(Some(Ok(Frame::data(before))));
        }
        let ring = Arc::clone(&self.ring);
        let mut ring = open(&ring);
        if self.at == ring.end() {
            if ring.closed {
                return Poll::Ready(None);
            }
            match self.waits {
                Some((woken, slot)) if woken == ring.woken => {
                    ring.wakers[slot].clone_from(context.waker());
                }
                _ => {
                    self.waits = Some((ring.woken, ring.wakers.len()));
                    ring.wakers.push(context.waker().clone());
                }
            }
            return Poll::Pending;
        }
        match ring.from(self.at) {
            Some((bytes, to)) => {
                self.at = to;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            // It fell behind what is kept.
            None => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> Arc<Mutex<Ring>> {
        Arc::default()
    }

    fn watch(ring: &Arc<Mutex<Ring>>) -> Watcher {
        Watcher::new(Arc::clone(ring), Bytes::from_static(b"hello "))
    }

    /// All a watcher is told until it has to wait; `None` at the end of its stream.
    fn told(watcher: &mut Watcher) -> (String, bool) {
        let mut context = Context::from_waker(Waker::noop());
        let mut text = String::new();
        loop {
            match Pin::new(&mut *watcher).poll_frame(&mut context) {
                Poll::Ready(Some(Ok(frame))) => {
                    let bytes = frame.into_data().unwrap_or_default();
                    text.push_str(&String::from_utf8_lossy(&bytes));
                }
                Poll::Ready(_) => return (text, false),
                Poll::Pending => return (text, true),
            }
        }
    }

    #[test]
    fn everybody_is_told_everything_once_from_where_they_came() {
        let ring = ring();
        let mut first = watch(&ring);
        Ring::tell(&ring, Bytes::from_static(b"a"));
        let mut second = watch(&ring);
        assert_eq!(told(&mut first), ("hello a".to_owned(), true));
        Ring::tell(&ring, Bytes::from_static(b"b"));
        Ring::tell(&ring, Bytes::from_static(b"c"));
        assert_eq!(told(&mut first), ("bc".to_owned(), true));
        assert_eq!(told(&mut second), ("hello bc".to_owned(), true));
        assert_eq!(told(&mut second), (String::new(), true));
        Ring::close(&ring);
        assert_eq!(told(&mut first), (String::new(), false));
        drop(first);
        assert_eq!(Ring::watchers(&ring), 1);
    }

    #[test]
    fn who_falls_behind_what_is_kept_is_cut_and_nobody_gets_half() {
        let ring = ring();
        let mut slow = watch(&ring);
        let mut quick = watch(&ring);
        let frame = Bytes::from(vec![b'x'; 1000]);
        for _ in 0..FRAMES_MOST + 1 {
            Ring::tell(&ring, frame.clone());
            assert!(told(&mut quick).1);
        }
        let (text, goes_on) = told(&mut slow);
        assert_eq!((text.as_str(), goes_on), ("hello ", false));
    }

    #[test]
    fn a_long_backlog_is_joined_in_writes_of_bounded_size() {
        let ring = ring();
        let mut watcher = watch(&ring);
        let frame = Bytes::from(vec![b'x'; 1000]);
        for _ in 0..500 {
            Ring::tell(&ring, frame.clone());
        }
        let mut context = Context::from_waker(Waker::noop());
        let mut sizes = Vec::new();
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut watcher).poll_frame(&mut context) {
            sizes.push(frame.into_data().unwrap_or_default().len());
        }
        assert_eq!(sizes.iter().sum::<usize>(), 500 * 1000 + "hello ".len());
        assert!(sizes.len() < 12, "{sizes:?}");
        assert!(sizes.iter().all(|size| *size < WRITE_MOST + 1000));
    }

    #[test]
    fn a_watcher_that_is_asked_again_and_again_waits_once() {
        let ring = ring();
        let mut watcher = watch(&ring);
        for _ in 0..10 {
            let _told = told(&mut watcher);
        }
        assert_eq!(open(&ring).wakers.len(), 1);
    }
}
