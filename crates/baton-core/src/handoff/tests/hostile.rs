//! Input that nobody should write, and that somebody will.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use proptest::prelude::*;

use super::{SHOP, shown};
use crate::diag::Note;
use crate::handoff::contract::{Contract, MAX_BYTES, lint, parse};
use crate::handoff::runbook;

/// Every seed of the fuzzer, by name.
fn seeds(of: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/seeds")
        .join(of);
    let mut files: Vec<PathBuf> = folder
        .read_dir()
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            #[expect(
                clippy::disallowed_methods,
                reason = "seeds are shared with the fuzzer"
            )]
            let bytes = std::fs::read(path).unwrap();
            (name, bytes)
        })
        .collect()
}

/// Reads it, and checks what must hold for any input.
fn read(bytes: &[u8]) -> (Option<Contract>, Vec<Note>) {
    let (contract, notes) = lint(bytes);
    assert!(
        contract.is_some() || !notes.is_empty(),
        "refused without a reason"
    );
    for note in &notes {
        assert!(
            note.says.chars().all(|c| !c.is_control()),
            "{:?}",
            note.says
        );
        assert!(note.says.len() < 2000, "{}", note.says);
        assert!(note.next.is_some(), "{}", note.says);
        if let Some(span) = note.span {
            assert!(
                span.start <= span.end && span.end as usize <= bytes.len(),
                "{span:?}"
            );
            assert!(span.line >= 1 && span.column >= 1);
        }
    }
    (contract, notes)
}

#[test]
fn every_seed_is_answered() {
    let seeds = seeds("contract");
    assert!(seeds.len() >= 40);
    let mut all = String::new();
    for (name, bytes) in seeds {
        let (contract, notes) = read(&bytes);
        let state = if contract.is_some() {
            "read"
        } else {
            "refused"
        };
        writeln!(all, "# {name}: {state}, {} notes", notes.len()).unwrap();
        all.extend(notes.iter().take(4).map(shown));
    }
    expect_file!["../testdata/notes/seeds.txt"].assert_eq(&all);
}

#[test]
fn every_seed_of_a_runbook_is_answered() {
    let seeds = seeds("runbook");
    assert!(seeds.len() >= 20);
    let mut all = String::new();
    for (name, bytes) in seeds {
        let (runbook, notes) = runbook::parse(&bytes);
        assert!(runbook.is_some() || !notes.is_empty(), "{name}");
        let state = if runbook.is_some() { "read" } else { "refused" };
        let codes: Vec<&str> = notes.iter().map(|note| note.code.0).collect();
        writeln!(all, "{name}: {state} {}", codes.join(" ")).unwrap();
    }
    expect_file!["../testdata/notes/runbooks.txt"].assert_eq(&all);
}

#[test]
fn crlf_bom_and_json_are_other_ways_to_write_the_same() {
    let seeds = seeds("contract");
    let contract = |name: &str| {
        let (_, bytes) = seeds.iter().find(|seed| seed.0 == name).unwrap();
        parse(bytes).0.unwrap()
    };
    for same in [
        "crlf",
        "cr-only",
        "bom",
        "document-markers",
        "looks-like-json",
    ] {
        assert_eq!(contract(same), contract("small"), "{same}");
    }
    let crlf = SHOP.replace('\n', "\r\n");
    assert_eq!(parse(crlf.as_bytes()).0, parse(SHOP.as_bytes()).0);
}

#[test]
fn spans_point_at_what_was_written() {
    for text in [
        SHOP.to_owned(),
        SHOP.replace('\n', "\r\n"),
        format!("\u{feff}# ü€😀\n{SHOP}"),
    ] {
        let contract = parse(text.as_bytes()).0.unwrap();
        let written = |span: Option<crate::diag::Span>| {
            let span = span.unwrap();
            let (start, end) = (span.start as usize, span.end as usize);
            let line = text[..start].matches('\n').count() + 1;
            assert_eq!(span.line as usize, line);
            text[start..end].to_owned()
        };
        assert_eq!(written(contract.name.span), "shop");
        assert_eq!(written(contract.runbook.span), "runbook.md");
        for criterion in &contract.done {
            assert_eq!(written(criterion.id.span), criterion.id.as_str());
        }
        let zone = contract.people["lee"].zone.as_ref().unwrap();
        assert_eq!(written(zone.span), "Europe/Prague");
    }
}

#[test]
fn large_input_is_refused_in_words_and_bounded_time() {
    let deep = |text: &str| text.repeat(100_000);
    let many = |text: &str| text.repeat(20_000);
    let line = "  - id: a\n";
    for (what, text) in [
        ("brackets", deep("[")),
        ("brackets on lines", deep("[\n")),
        ("braces", deep("{a: ")),
        ("dashes", deep("- ")),
        ("questions", deep("? ")),
        (
            "keys",
            (0..1000).map(|at| " ".repeat(at) + "a:\n").collect(),
        ),
        ("list in brackets", format!("a: [{}]", many("x,"))),
        ("pairs in brackets", format!("a: [{}]", many(":,"))),
        ("closed brackets", format!("a: {}", deep("[]"))),
        ("text", format!("a: \"{}\"", deep("xx"))),
        ("list", format!("done:\n{}", many("  -\n"))),
        (
            "criteria",
            format!("done:\n{}", line.repeat(MAX_BYTES / line.len() - 1)),
        ),
        (
            "unknown keys",
            (0..20_000).map(|at| format!("k{at}: 1\n")).collect(),
        ),
        ("one key", deep("a: 1\n")),
        ("tags", format!("a: {}", deep("!x "))),
        (
            "anchors",
            (0..20_000).map(|at| format!("- &a{at} x\n")).collect(),
        ),
        ("line ends", deep("\n")),
        ("comments", deep("# x\n")),
    ] {
        let (contract, notes) = read(text.as_bytes());
        assert!(contract.is_none(), "{what}");
        assert!(notes.len() < 600, "{what}: {}", notes.len());
    }
    let (_, notes) = read(&vec![b'a'; 10 << 20]);
    assert_eq!(notes[0].code.0, "contract.too-large");
    assert!(notes[0].says.contains("1048576"), "{}", notes[0].says);
}

#[test]
fn aliases_cannot_make_much_of_little() {
    for (bomb, words) in [
        (
            format!(
                "a: &a {}\nb: [{}]\n",
                "x".repeat(50_000),
                "*a, ".repeat(1000)
            ),
            "too many values",
        ),
        (
            (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, at| {
                format!("{text}a{at}: &a{at} [*a{}, *a{}]\n", at - 1, at - 1)
            }),
            "too many values",
        ),
        (
            (1..5000).fold("a0: &a0 [x]\n".to_owned(), |text, at| {
                format!("{text}a{at}: &a{at} [*a{}]\n", at - 1)
            }),
            "deep",
        ),
    ] {
        let (contract, notes) = read(bomb.as_bytes());
        assert!(contract.is_none());
        assert!(
            notes.iter().any(|note| note.says.contains(words)),
            "{:?}",
            notes[0].says
        );
    }
}

/// One change of the text, as a slip of the hand or of a merge would make it.
#[derive(Clone, Debug)]
enum Slip {
    DeleteByte(usize),
    DoubleByte(usize),
    SwapBytes(usize, usize),
    SetByte(usize, u8),
    DeleteLine(usize),
    DoubleLine(usize),
    SwapLines(usize, usize),
    Cut(usize),
}

fn slip() -> impl Strategy<Value = Slip> {
    let at = any::<usize>;
    let telling = prop::sample::select(b"\"'[]{}:,-#&*!|>%@`? \t\r\n\0\\a0~<".to_vec());
    prop_oneof![
        at().prop_map(Slip::DeleteByte),
        at().prop_map(Slip::DoubleByte),
        (at(), at()).prop_map(|(a, b)| Slip::SwapBytes(a, b)),
        (at(), telling).prop_map(|(at, byte)| Slip::SetByte(at, byte)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Slip::SetByte(at, byte)),
        at().prop_map(Slip::DeleteLine),
        at().prop_map(Slip::DoubleLine),
        (at(), at()).prop_map(|(a, b)| Slip::SwapLines(a, b)),
        at().prop_map(Slip::Cut),
    ]
}

fn apply(slip: &Slip, text: &mut Vec<u8>) {
    let len = text.len();
    if len == 0 {
        return;
    }
    let mut lines: Vec<Vec<u8>> = text
        .split_inclusive(|b| *b == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    let count = lines.len();
    match *slip {
        Slip::DeleteByte(at) => drop(text.remove(at % len)),
        Slip::DoubleByte(at) => text.insert(at % len, text[at % len]),
        Slip::SwapBytes(a, b) => text.swap(a % len, b % len),
        Slip::SetByte(at, byte) => text[at % len] = byte,
        Slip::Cut(at) => text.truncate(at % len),
        Slip::DeleteLine(at) => {
            lines.remove(at % count);
            *text = lines.concat();
        }
        Slip::DoubleLine(at) => {
            lines.insert(at % count, lines[at % count].clone());
            *text = lines.concat();
        }
        Slip::SwapLines(a, b) => {
            lines.swap(a % count, b % count);
            *text = lines.concat();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn slips_never_panic_and_always_answer(slips in prop::collection::vec(slip(), 1..12)) {
        let mut text = SHOP.as_bytes().to_vec();
        for slip in &slips {
            apply(slip, &mut text);
        }
        read(&text);
    }

    #[test]
    fn any_text_is_answered(text in "[-a: \\[\\]{},#&*!|>'\"%@`?\t\r\n~<0é]{0,200}") {
        read(text.as_bytes());
    }
}

#[test]
fn what_nobody_sees_may_stand_in_an_escape_only() {
    for hidden in [
        '\u{0}', '\u{1b}', '\u{7f}', '\u{9b}', '\u{202e}', '\u{2066}',
    ] {
        let written = SHOP.replace("takes orders", &format!("takes {hidden}orders"));
        let (contract, notes) = read(written.as_bytes());
        let code = format!("U+{:04X}", u32::from(hidden));
        assert!(
            contract.is_none() && notes[0].says.contains(&code),
            "{notes:?}"
        );
        assert_eq!(
            notes[0].span.map(|span| (span.line, span.column)),
            Some((2, 25))
        );
    }
    for hidden in ['\u{1b}', '\u{9b}', '\u{202e}', '\u{2069}'] {
        let written = format!("# Launch\n\n### Go\n\n```sh run\né{hidden}\n```\n");
        let (read, notes) = runbook::parse(written.as_bytes());
        let code = format!("U+{:04X}", u32::from(hidden));
        let note = notes.iter().find(|note| note.says.contains(&code)).unwrap();
        assert!(read.is_none() && note.code.0 == "runbook.syntax");
        assert_eq!(note.span.map(|span| (span.line, span.column)), Some((6, 2)));
    }
    // Marks of right-to-left text are no trick: they turn nothing that follows.
    let written = SHOP.replace("takes orders", "takes \u{200f}orders");
    assert!(read(written.as_bytes()).0.is_some());
    let escaped = SHOP.replace("Shop 2.4 takes", "\"Shop 2.4 \\e[2J takes\" #");
    assert!(read(escaped.as_bytes()).0.is_some());
}
