//! Which variables a shell script takes from its environment.
//!
//! This reads POSIX shell and the parts of bash people use just well enough to
//! tell `$NAME` that is expanded from one that is not (in single quotes, in a
//! comment, in a quoted here-document) and from one that the script sets
//! itself. It is no parser: a script it misunderstands is read to its end all
//! the same, in one pass, with an explicit stack. Only names in capitals are
//! looked at; by convention those come from outside.

use std::collections::BTreeSet;

/// Variables that a process has from the system or from its shell.
pub(super) const PROCESS_VARIABLES: &[&str] = &[
    "BASH",
    "BASHPID",
    "BASH_SOURCE",
    "BASH_VERSION",
    "COLUMNS",
    "DISPLAY",
    "EDITOR",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "FUNCNAME",
    "GROUPS",
    "HOME",
    "HOSTNAME",
    "HOSTTYPE",
    "IFS",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LINENO",
    "LINES",
    "LOGNAME",
    "MACHTYPE",
    "MAIL",
    "OLDPWD",
    "OPTARG",
    "OPTIND",
    "OSTYPE",
    "PATH",
    "PIPESTATUS",
    "PPID",
    "PS4",
    "PWD",
    "RANDOM",
    "REPLY",
    "SECONDS",
    "SHELL",
    "SHLVL",
    "SRANDOM",
    "SSH_AUTH_SOCK",
    "SSH_CONNECTION",
    "SUDO_USER",
    "TERM",
    "TMPDIR",
    "TZ",
    "UID",
    "USER",
    "XDG_RUNTIME_DIR",
];

/// What a script does with variables.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Script<'a> {
    /// Names that must be set, each with the byte offset of its first `$`; not
    /// those with a value of their own for the case, as in `${NAME:-x}`.
    pub(super) uses: Vec<(usize, &'a str)>,
    /// Names the script sets itself.
    pub(super) sets: BTreeSet<&'a str>,
    /// Whether it reads further commands (`source`, `.`, `eval`), so that
    /// nobody can tell what it sets.
    pub(super) opaque: bool,
}

/// Reads a script.
pub(super) fn script(text: &str) -> Script<'_> {
    let mut reader = Reader {
        text,
        bytes: text.as_bytes(),
        at: 0,
        open: vec![Open::Code {
            parens: 0,
            close: 0,
        }],
        documents: Vec::new(),
        word: Word::Command,
        out: Script::default(),
    };
    while reader.at < reader.bytes.len() {
        reader.step();
    }
    let mut seen = BTreeSet::new();
    reader.out.uses.retain(|(_, name)| seen.insert(*name));
    reader.out
}

/// Names a script of any language writes to `$BATON_OUTPUT`, as far as its text
/// shows them: capitals before a `=`, in a script that mentions the file.
pub(super) fn outputs(text: &str) -> impl Iterator<Item = &str> {
    let mentions = text.contains("BATON_OUTPUT");
    let ends = text.match_indices('=').filter(move |_| mentions);
    ends.filter_map(|(at, _)| {
        let before = &text[..at];
        let start = before
            .bytes()
            .rposition(|byte| !is_name_byte(byte))
            .map_or(0, |last| last + 1);
        Some(&before[start..]).filter(|name| is_name(name))
    })
}

/// What is open at a point of the script, innermost last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// Commands, up to `close` (`)`, a backtick, or 0 for the end of the script).
    Code { parens: usize, close: u8 },
    /// Between double quotes.
    Double,
    /// Within `${…}`, behind the name.
    Brace,
    /// Within `((…))`: names need no `$`, and `<<` shifts.
    Arithmetic { parens: usize },
}

/// What the next word may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// The name of a command, or an assignment before it.
    Command,
    /// An argument.
    Argument,
    /// A name that the command sets, and whether more may follow.
    Name { more: bool },
    /// An argument of `printf`, of which `-v` sets a name.
    Printf,
}

/// A here-document whose body begins on the next line.
struct Document<'a> {
    end: &'a str,
    literal: bool,
    tabs: bool,
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    open: Vec<Open>,
    documents: Vec<Document<'a>>,
    word: Word,
    out: Script<'a>,
}

impl<'a> Reader<'a> {
    fn step(&mut self) {
        let byte = self.bytes[self.at];
        match (byte, self.open.last().copied()) {
            (b'\\', _) => self.at += 2,
            (b'$', _) => self.dollar(),
            (b'`', top) => {
                self.at += 1;
                if matches!(top, Some(Open::Code { close: b'`', .. })) {
                    self.open.pop();
                } else {
                    self.enter(b'`');
                }
            }
            (b'"', Some(Open::Double)) => self.leave(),
            (b'"', _) => {
                self.open.push(Open::Double);
                self.at += 1;
            }
            (b'}', Some(Open::Brace)) => self.leave(),
            (b'(' | b')', Some(Open::Arithmetic { parens })) => self.arithmetic(byte, parens),
            (b'\'', Some(Open::Code { .. } | Open::Brace)) => self.skip_past(self.at + 1, b'\''),
            (_, Some(Open::Code { parens, close })) => self.code(byte, parens, close),
            _ => self.at += 1,
        }
    }

    fn enter(&mut self, close: u8) {
        self.open.push(Open::Code { parens: 0, close });
        self.word = Word::Command;
    }

    fn leave(&mut self) {
        self.open.pop();
        self.at += 1;
    }

    fn arithmetic(&mut self, byte: u8, parens: usize) {
        self.open.pop();
        let parens = if byte == b'(' { parens + 1 } else { parens - 1 };
        if parens > 0 {
            self.open.push(Open::Arithmetic { parens });
        }
        self.at += 1;
    }

    /// Goes behind the next such byte, or to the end.
    fn skip_past(&mut self, from: usize, byte: u8) {
        let rest = self.bytes.get(from..).unwrap_or_default();
        let found = rest.iter().position(|b| *b == byte);
        self.at = found.map_or(self.bytes.len(), |found| from + found + 1);
        self.word = self.after_word();
    }

    fn after_word(&self) -> Word {
        match self.word {
            Word::Command | Word::Name { more: false } => Word::Argument,
            other => other,
        }
    }

    /// One byte of commands, outside of quotes.
    fn code(&mut self, byte: u8, parens: usize, close: u8) {
        let starts_word = self.at == 0 || b" \t\n;&|()`{!".contains(&self.bytes[self.at - 1]);
        match byte {
            b'#' if starts_word => {
                let rest = &self.bytes[self.at..];
                let end = rest.iter().position(|b| *b == b'\n');
                self.at = end.map_or(self.bytes.len(), |end| self.at + end);
                return;
            }
            b'(' if starts_word && self.bytes.get(self.at + 1) == Some(&b'(') => {
                self.open.push(Open::Arithmetic { parens: 2 });
                self.at += 2;
                return;
            }
            b'(' | b')' => {
                self.open.pop();
                match (byte, parens) {
                    (b'(', _) => self.open.push(Open::Code {
                        parens: parens + 1,
                        close,
                    }),
                    (_, 0) if close == b')' => {}
                    _ => self.open.push(Open::Code {
                        parens: parens.saturating_sub(1),
                        close,
                    }),
                }
                self.word = Word::Command;
            }
            b'\n' => {
                self.word = Word::Command;
                self.at += 1;
                self.read_documents();
                return;
            }
            b';' | b'&' | b'|' => self.word = Word::Command,
            b'<' if self.text[self.at..].starts_with("<<<") => self.at += 2,
            b'<' if self.bytes.get(self.at + 1) == Some(&b'<') => {
                self.announce_document();
                return;
            }
            _ if starts_word && !byte.is_ascii_whitespace() => {
                self.read_word();
                return;
            }
            _ => {}
        }
        self.at += 1;
    }

    /// The unquoted beginning of a word.
    fn read_word(&mut self) {
        let rest = &self.text[self.at..];
        let stop = |c: char| c.is_whitespace() || "\\$`\"'();&|<>#=+[".contains(c);
        let length = rest.find(stop).unwrap_or(rest.len());
        let word = &rest[..length];
        let behind = &rest[length..];
        let assigns = is_name(word)
            && (behind.starts_with('=') || behind.starts_with("+=") || behind.starts_with('['));
        if assigns {
            self.out.sets.insert(word);
        } else if let Word::Name { .. } = self.word {
            if is_name(word) {
                self.out.sets.insert(word);
            }
            self.word = self.after_word();
        } else if self.word == Word::Printf {
            let name = word == "-v";
            self.word = if name {
                Word::Name { more: false }
            } else {
                Word::Argument
            };
        } else if self.word == Word::Command {
            self.word = match word {
                "if" | "then" | "elif" | "else" | "while" | "until" | "do" | "{" | "!" | "time"
                | "command" | "exec" | "builtin" => Word::Command,
                "read" | "getopts" | "mapfile" | "readarray" | "local" | "declare" | "typeset"
                | "readonly" => Word::Name { more: true },
                "for" | "select" => Word::Name { more: false },
                "printf" => Word::Printf,
                _ => Word::Argument,
            };
            self.out.opaque |= matches!(word, "." | "source" | "eval");
        }
        // At least one byte, so that what stopped the word is never met again.
        let first = rest.chars().next().map_or(1, char::len_utf8);
        self.at += if length > 0 { length } else { first };
    }

    /// What follows a `$`.
    fn dollar(&mut self) {
        let start = self.at;
        let rest = &self.text[start + 1..];
        match rest.bytes().next() {
            Some(b'(') if rest.starts_with("((") => {
                self.open.push(Open::Arithmetic { parens: 2 });
                self.at += 3;
            }
            Some(b'(') => {
                self.at += 2;
                self.enter(b')');
            }
            Some(b'{') => self.braced(start),
            Some(b'\'') if matches!(self.open.last(), Some(Open::Code { .. })) => {
                // `$'…'`: a backslash escapes, unlike in plain single quotes.
                let inner = &self.bytes[start + 2..];
                let mut end = 0;
                while end < inner.len() && inner[end] != b'\'' {
                    end += if inner[end] == b'\\' { 2 } else { 1 };
                }
                self.at = (start + 2 + end + 1).min(self.bytes.len());
            }
            _ => {
                let name = name_at(rest);
                if is_name(name) {
                    self.out.uses.push((start, name));
                }
                self.at += 1 + name.len();
            }
        }
    }

    /// `${NAME…}`, up to what stands behind the name.
    fn braced(&mut self, start: usize) {
        let inner = &self.text[start + 2..];
        let bare = inner.strip_prefix(['#', '!']).unwrap_or(inner);
        let name = name_at(bare);
        let behind = &bare[name.len()..];
        let guard = behind.strip_prefix(':').unwrap_or(behind).bytes().next();
        if is_name(name) {
            match guard {
                Some(b'-' | b'+') => {}
                Some(b'=') => {
                    self.out.sets.insert(name);
                }
                _ => self.out.uses.push((start, name)),
            }
        }
        self.at = start + 2 + (inner.len() - bare.len()) + name.len();
        self.open.push(Open::Brace);
    }

    /// `<<WORD`, `<<-WORD`, `<<'WORD'`.
    fn announce_document(&mut self) {
        let rest = &self.text[self.at + 2..];
        let tabs = rest.starts_with('-');
        let rest = rest
            .strip_prefix('-')
            .unwrap_or(rest)
            .trim_start_matches([' ', '\t']);
        let start = self.text.len() - rest.len();
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let (end, length) = match quote {
            Some(quote) => {
                let inner = &rest[1..];
                let end = inner.find(quote).unwrap_or(inner.len());
                (&inner[..end], end + 2)
            }
            None => {
                let stop = |c: char| c.is_whitespace() || ";&|<>()".contains(c);
                let end = rest.find(stop).unwrap_or(rest.len());
                (rest[..end].trim_start_matches('\\'), end)
            }
        };
        let literal = quote.is_some() || rest.starts_with('\\');
        self.documents.push(Document { end, literal, tabs });
        self.at = (start + length).min(self.text.len());
    }

    /// Bodies of the here-documents announced on the line before.
    fn read_documents(&mut self) {
        for document in std::mem::take(&mut self.documents) {
            while self.at < self.text.len() {
                let rest = &self.text[self.at..];
                let length = rest.find('\n').map_or(rest.len(), |end| end + 1);
                let line = rest[..length].trim_end_matches('\n');
                let bare = if document.tabs {
                    line.trim_start_matches('\t')
                } else {
                    line
                };
                let next = self.at + length;
                if bare == document.end {
                    self.at = next;
                    break;
                }
                if !document.literal {
                    self.document_line(next);
                }
                self.at = next;
            }
        }
    }

    /// One line of a here-document: only `$` and `\` mean something.
    fn document_line(&mut self, next: usize) {
        let depth = self.open.len();
        while self.at < next {
            match self.bytes[self.at] {
                b'\\' => self.at += 2,
                b'$' => {
                    self.dollar();
                    // What it opened is read as part of the line.
                    self.open.truncate(depth);
                }
                _ => self.at += 1,
            }
        }
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The name a text begins with; empty when it begins with none.
fn name_at(text: &str) -> &str {
    let end = text.bytes().position(|byte| !is_name_byte(byte));
    let name = &text[..end.unwrap_or(text.len())];
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        ""
    } else {
        name
    }
}

/// Whether this is a whole name in capitals.
fn is_name(text: &str) -> bool {
    let capital = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    text.bytes().all(capital)
        && text
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn uses(text: &str) -> Vec<&str> {
        let script = script(text);
        assert!(!script.opaque, "{text}");
        script.uses.into_iter().map(|(_, name)| name).collect()
    }

    fn sets(text: &str) -> Vec<&str> {
        script(text).sets.into_iter().collect()
    }

    #[test]
    fn names_that_are_expanded() {
        for (text, names) in [
            (
                "echo $A ${B} \"$C ${D%x} ${#E}\" x$F",
                vec!["A", "B", "C", "D", "E", "F"],
            ),
            ("echo '$A' \\$B \"\\$C\" # $D\necho a#$E", vec!["E"]),
            (
                "awk '{print $NF}' \"$(sed 's/$X/y/' <\"$A\")\" \"it's $B\"",
                vec!["A", "B"],
            ),
            (
                "echo ${A:-$B} ${C-x} ${D:+y} ${E:?no} ${F:=z} $lower $1 $? ${10}",
                vec!["B", "E"],
            ),
            (
                "x=`echo $A` ; y=$(echo \"$(echo $B)\" ')') $C",
                vec!["A", "B", "C"],
            ),
            (
                "echo $((1<<A + $B)) $C; (( D << 2 )); echo $E",
                vec!["B", "C", "E"],
            ),
            ("printf $'it\\'s $A' $B", vec!["B"]),
            (
                "cat <<EOF >$A\n$B 'it $C' \\$D\nEOF\necho $E",
                vec!["A", "B", "C", "E"],
            ),
            (
                "cat <<'EOF'; cat <<-\"X\"\n$A\nEOF\n$B\n\tX\necho $C",
                vec!["C"],
            ),
            ("cat <<<$A; cat <<EOF", vec!["A"]),
            ("echo \"${A:-\"$B\"}\" $A", vec!["B", "A"]),
        ] {
            assert_eq!(uses(text), names, "{text}");
        }
    }

    #[test]
    fn names_that_the_script_sets() {
        for (text, names) in [
            ("A=1; export B=2\nC+=x D[1]=3", vec!["A", "B", "C", "D"]),
            (
                "while read -r A B; do :; done; for C in X Y; do echo; done",
                vec!["A", "B", "C"],
            ),
            (
                "printf -v A %s x; local B; : ${C:=1} \"${D=2}\"",
                vec!["A", "B", "C", "D"],
            ),
            ("echo \"A=1\" B-C=2; test A = B", vec![]),
            (
                "if read A; then { B=1; }; fi; X=$(C=1; echo)",
                vec!["A", "B", "C", "X"],
            ),
        ] {
            assert_eq!(sets(text), names, "{text}");
        }
    }

    #[test]
    fn scripts_that_read_further_commands_are_opaque() {
        for text in [
            ". ./env.sh",
            "set -a; source env",
            "eval \"$(x)\"",
            "A=1 . x",
        ] {
            assert!(script(text).opaque, "{text}");
        }
        for text in ["cp a .", "echo source eval", "./source.sh", "# . x"] {
            assert!(!script(text).opaque, "{text}");
        }
    }

    #[test]
    fn outputs_are_seen_in_any_language() {
        let text = "echo \"COUNT=$(wc -l <x)\" >>\"$BATON_OUTPUT\"; x=1; # NAME=";
        assert_eq!(outputs(text).collect::<Vec<_>>(), ["COUNT", "NAME"]);
        let python = "open(os.environ['BATON_OUTPUT'], 'a').write(f'N={n}\\n')";
        assert_eq!(outputs(python).collect::<Vec<_>>(), ["N"]);
        assert_eq!(outputs("A=1").count(), 0);
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(
            parts in proptest::collection::vec(
                prop::sample::select(vec![
                    "$", "{", "}", "(", ")", "((", "))", "'", "\"", "`", "\\", "#", "\n", " ", "A",
                    "B=", "<<", "<<-", "EOF", ";", "read ", ":-", "é", "\u{2003}", "$'", "=", "[",
                ]),
                0..60,
            ),
        ) {
            let text = parts.concat();
            for (at, name) in script(&text).uses {
                prop_assert!(text[at..].starts_with('$') && text[at..].contains(name));
            }
            let _outputs = outputs(&text).count();
        }
    }

    #[test]
    fn large_scripts_take_one_pass() {
        for mark in ["$(", "\"$(", "${A:-", "'", "`", "<<A\n", "$A", "((", "A="] {
            let text = mark.repeat((1 << 20) / mark.len());
            assert!(script(&text).uses.len() <= 1);
        }
    }
}
