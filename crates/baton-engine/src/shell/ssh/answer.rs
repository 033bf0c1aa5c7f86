//! What a far side says: read with suspicion, bounded, and never trusted to
//! be whole.

use std::collections::BTreeMap;
use std::time::Instant;

use baton_core::event::Ending;
use baton_core::time::Duration;

use super::line::{Broken, Line, one_line};
use crate::secret::Masker;
use crate::shell::attempt::{OUTPUT_HEAD, OUTPUT_TAIL, VARIABLES_MOST, given};

/// The longest `exit` file: 1 KiB.
const EXIT_MOST: usize = 1024;
/// The longest piece of output that is sent while a command runs: 64 KiB.
pub(super) const PIECE_MOST: usize = 64 * 1024;
/// The version of the files in an attempt's folder.
const FORMAT: &str = "1";

/// A word of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing was begun, and why.
    Refused(String),
    /// The attempt never started, and never will.
    Never,
    /// It is under way.
    Running,
    /// A piece of what it printed follows, of this length.
    Output(usize),
    /// Facts follow.
    Facts,
    /// It ended; files of these lengths follow.
    Result([usize; 4]),
}

/// Reads a line; `None` when it is no word of ours.
pub(crate) fn told(line: &[u8]) -> Option<Told> {
    let line = std::str::from_utf8(line).ok()?;
    let (word, rest) = match line.strip_prefix("baton ")?.split_once(' ') {
        Some((word, rest)) => (word, rest),
        None => (line.strip_prefix("baton ")?, ""),
    };
    Some(match word {
        "refused" => Told::Refused(one_line(rest)),
        "never" => Told::Never,
        "running" => Told::Running,
        "facts" => Told::Facts,
        "output" => Told::Output(rest.parse().ok().filter(|n| *n <= PIECE_MOST)?),
        "result" => {
            let most = [
                EXIT_MOST,
                2 * usize::try_from(VARIABLES_MOST).ok()?,
                2 * OUTPUT_HEAD,
                2 * OUTPUT_TAIL,
            ];
            let mut words = rest.split(' ');
            let mut lengths = [0; 4];
            for (length, most) in lengths.iter_mut().zip(most) {
                *length = words.next()?.parse().ok().filter(|n| *n <= most)?;
            }
            words.next().is_none().then_some(Told::Result(lengths))?
        }
        _ => return None,
    })
}

/// The files that an attempt left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Left {
    exit: Vec<u8>,
    variables: Vec<u8>,
    head: Vec<u8>,
    tail: Vec<u8>,
}

/// How an attempt ended, and what it left, as Baton keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) end: Ending,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) output: Vec<u8>,
    pub(crate) took: Duration,
}

impl Left {
    /// Reads files of these lengths, whole or not at all.
    pub(crate) fn read(
        line: &mut Line,
        lengths: [usize; 4],
        until: Instant,
    ) -> Result<Self, Broken> {
        let mut next = |length| line.exactly(length, until);
        let left = Self {
            exit: next(lengths[0])?,
            variables: next(lengths[1])?,
            head: next(lengths[2])?,
            tail: next(lengths[3])?,
        };
        if line.line(until)? == b"baton over" {
            Ok(left)
        } else {
            Err(Broken::Garbled)
        }
    }

    /// What it means. Where the attempt had secrets, they are in hex digits.
    pub(crate) fn outcome(self, hex: bool, masker: &Masker) -> Outcome {
        let exit = Exit::read(&self.exit);
        let total = if hex { exit.total / 2 } else { exit.total };
        let read = |bytes| plain(bytes, hex);
        let (head, tail) = (read(self.head), read(self.tail));
        Outcome {
            end: exit.end,
            outputs: given(&read(self.variables), masker),
            output: masker.mask_bytes(&joined(head, &tail, total)),
            took: Duration::from_millis(exit.took_ms),
        }
    }
}

/// Bytes as they were printed. Where the attempt has secrets, they came in hex
/// digits.
pub(crate) fn plain(bytes: Vec<u8>, hex: bool) -> Vec<u8> {
    if hex { unhex(&bytes) } else { bytes }
}

/// The beginning and the end of so many bytes, which may overlap, as one.
fn joined(mut head: Vec<u8>, tail: &[u8], total: u64) -> Vec<u8> {
    head.truncate(OUTPUT_HEAD);
    let tail = &tail[tail.len().saturating_sub(OUTPUT_TAIL)..];
    let after = total.saturating_sub(head.len() as u64);
    let left_out = after.saturating_sub(tail.len() as u64);
    if left_out > 0 {
        head.extend_from_slice(format!("\n[{left_out} bytes left out]\n").as_bytes());
    }
    let wanted = usize::try_from(after).unwrap_or(usize::MAX).min(tail.len());
    head.extend_from_slice(&tail[tail.len() - wanted..]);
    head
}

/// Pairs of hex digits; what is none ends them.
fn unhex(digits: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    digits
        .chunks_exact(2)
        .map_while(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok())
        .collect()
}

/// The `exit` file.
struct Exit {
    end: Ending,
    took_ms: u64,
    total: u64,
}

impl Exit {
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let field = |name: &str| {
            text.lines()
                .filter_map(|line| line.split_once(' '))
                .find_map(|(key, value)| (key == name).then_some(value))
        };
        let number = |name| {
            field(name)
                .and_then(|value| value.parse().ok())
                .unwrap_or(0)
        };
        let end = if bytes.is_empty() {
            unknown("its process is gone and left no result")
        } else if field("format") != Some(FORMAT) {
            unknown("its result is written in a way that this Baton does not know")
        } else {
            ending(field("end").unwrap_or_default())
        };
        Self {
            end,
            took_ms: number("took"),
            total: number("total"),
        }
    }
}

/// A shell tells an end by a signal as status 128 + number; so does a shell that
/// passes it on, and it is told the same.
fn ending(word: &str) -> Ending {
    let (kind, rest) = word.split_once(' ').unwrap_or((word, ""));
    match (kind, rest.parse::<u8>()) {
        ("late", _) => Ending::TimedOut,
        ("refused", _) => Ending::NotStarted {
            because: one_line(rest),
        },
        ("status", Ok(0)) => Ending::Succeeded,
        ("status", Ok(status @ 129..=159)) => Ending::Killed {
            signal: status - 128,
        },
        ("status", Ok(code)) => Ending::Exited { code },
        _ => unknown("its result cannot be read"),
    }
}

fn unknown(because: &str) -> Ending {
    Ending::Unknown {
        because: because.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_known_and_everything_else_is_not() {
        for (line, word) in [
            ("baton never", Told::Never),
            ("baton running", Told::Running),
            ("baton facts", Told::Facts),
            ("baton refused a\tb", Told::Refused("a b".to_owned())),
            ("baton refused", Told::Refused(String::new())),
            ("baton output 65536", Told::Output(65536)),
            ("baton result 1 2 3 4", Told::Result([1, 2, 3, 4])),
        ] {
            assert_eq!(told(line.as_bytes()), Some(word), "{line}");
        }
        for line in [
            "",
            "baton",
            "baton ",
            "never",
            "baton nevermore",
            "baton result",
            "baton result 1 2 3",
            "baton result 1 2 3 4 5",
            "baton result -1 2 3 4",
            "baton result 1 2 99999999999999999999 4",
            "baton result 1025 0 0 0",
            "baton output",
            "baton output -1",
            "baton output 65537",
            "baton result 0 131073 0 0",
            "baton result 0 0 2097153 0",
        ] {
            assert_eq!(told(line.as_bytes()), None, "{line}");
        }
    }

    fn end(exit: &str) -> Ending {
        Exit::read(exit.as_bytes()).end
    }

    #[test]
    fn each_end_is_read_as_it_was() {
        let exit = |end: &str| format!("format 1\nend {end}\ntook 12\ntotal 34\n");
        assert_eq!(end(&exit("status 0")), Ending::Succeeded);
        assert_eq!(end(&exit("status 128")), Ending::Exited { code: 128 });
        assert_eq!(end(&exit("status 137")), Ending::Killed { signal: 9 });
        assert_eq!(end(&exit("status 255")), Ending::Exited { code: 255 });
        assert_eq!(end(&exit("late")), Ending::TimedOut);
        let because = "the folder x y is not there".to_owned();
        assert_eq!(
            end(&exit("refused the folder x y is not there")),
            Ending::NotStarted { because }
        );
        for odd in ["status 256", "status", "", "ended", "status -1"] {
            let end = end(&exit(odd));
            assert!(matches!(end, Ending::Unknown { .. }), "{odd}: {end:?}");
        }
        for odd in ["", "format 2\nend status 0\n", "end status 0\n"] {
            assert!(matches!(end(odd), Ending::Unknown { .. }), "{odd}");
        }
        let exit = Exit::read(exit("late").as_bytes());
        assert_eq!((exit.took_ms, exit.total), (12, 34));
    }

    #[test]
    fn beginning_and_end_overlap_meet_or_leave_something_out() {
        let join = |head: &str, tail: &str, total| {
            String::from_utf8(joined(head.as_bytes().to_vec(), tail.as_bytes(), total)).unwrap()
        };
        assert_eq!(join("abc", "bc", 3), "abc");
        assert_eq!(join("abc", "bcd", 4), "abcd");
        assert_eq!(join("abc", "def", 6), "abcdef");
        assert_eq!(join("abc", "fgh", 8), "abc\n[2 bytes left out]\nfgh");
        assert_eq!(join("", "", 0), "");
    }

    #[test]
    fn hex_digits_end_where_they_are_none() {
        assert_eq!(unhex(b"00ff6A"), [0, 0xff, 0x6a]);
        assert_eq!(unhex(b"61zz62"), b"a");
        assert_eq!(unhex(b"616"), b"a");
    }

    proptest! {
        #[test]
        fn whatever_a_host_says_is_bounded_and_harmless(
            line in proptest::collection::vec(any::<u8>(), 0..200),
            files in proptest::array::uniform4(proptest::collection::vec(any::<u8>(), 0..300)),
            total in any::<u64>(),
            hex in any::<bool>(),
        ) {
            let _word = told(&line);
            let [exit, variables, head, tail] = files;
            let kept = joined(head.clone(), &tail, total);
            prop_assert!(kept.len() <= head.len() + tail.len() + 64);
            let left = Left { exit, variables, head, tail };
            let _outcome = left.outcome(hex, &Masker::new(["a".to_owned()]));
        }
    }
}
