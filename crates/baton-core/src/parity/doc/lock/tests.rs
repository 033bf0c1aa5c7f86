//! Real `yarn.lock`s of two versions (but for the address packages come from), and files of Bundler and Go written after
//! their documentation, all shared with the fuzzer; and what is none of these.

use std::path::Path;

use expect_test::expect;
use proptest::prelude::*;

use super::super::{Format, paths};

macro_rules! seed {
    ($name:literal) => {
        include_str!(concat!("../../../../../../fuzz/seeds/lock/", $name))
    };
}

const FORMATS: [Format; 4] = [
    Format::YarnLock,
    Format::GemfileLock,
    Format::GoSum,
    Format::GoMod,
];

fn read(format: Format, text: &str) -> Vec<String> {
    let found = paths(format, text).unwrap();
    found
        .into_iter()
        .map(|(path, value)| format!("{path}={value}"))
        .collect()
}

fn of(path: &str, in_text: &str, format: Format) -> Vec<String> {
    let mut found = read(format, in_text);
    found.retain(|line| line.starts_with(path));
    found
}

#[test]
fn the_names_of_lock_files_are_known() {
    for (path, format) in [
        ("a/yarn.lock", Format::YarnLock),
        ("Gemfile.lock", Format::GemfileLock),
        ("go.sum", Format::GoSum),
        ("go.mod", Format::GoMod),
        ("Cargo.lock", Format::Toml),
    ] {
        assert_eq!(Format::of(path), Some(format));
    }
    assert_eq!(Format::of("my-yarn.lock"), None);
}

#[test]
fn a_yarn_lock_is_its_packages_whatever_its_version() {
    let text = seed!("yarn-1.lock");
    assert_eq!(
        of("/package/debug/", text, Format::YarnLock),
        [
            "/package/debug/dependencies/ms=^2.1.3",
            "/package/debug/for=~4.3.4",
            "/package/debug/integrity=sha512-Er2nc/H7RrMXZBFCEim6TCmMk02Z8vLC2Rbi1KEBggpo0fS6l0S1nnapwmIi3yW/+GOJap1Krg4w0Hg80oCqgQ==",
            "/package/debug/resolved=https://packages.example/debug/-/debug-4.3.7.tgz#87945b4151a011d76d95a198d7111c865c360a52",
            "/package/debug/version=4.3.7",
        ]
    );
    let later = seed!("yarn-4.lock");
    for (text, sum, aliased) in [(text, "integrity", ""), (later, "checksum", "npm:")] {
        let versions = read(Format::YarnLock, text);
        for line in [
            "/package/@types~1ms/version=0.7.34",
            "/package/debug/version=4.3.7",
            // Under the name it is installed as.
            "/package/debug2/version=2.6.9",
            "/package/left-pad/version=1.3.0",
            // Two of one name.
            "/package/ms@2.0.0/version=2.0.0",
            "/package/ms@2.1.3/version=2.1.3",
        ] {
            assert!(versions.iter().any(|of| of == line), "{line}");
        }
        assert!(versions.contains(&format!(
            "/package/ms@2.1.3/for={aliased}^2.1.0, {aliased}^2.1.3"
        )));
        let sums = versions
            .iter()
            .filter(|line| line.contains(&format!("/{sum}=")));
        assert_eq!(sums.count(), 6);
    }
    assert!(read(Format::YarnLock, later).contains(&"/__metadata/version=8".to_owned()));
}

#[test]
fn a_gemfile_lock_is_its_gems_and_what_is_asked_for() {
    let found = read(Format::GemfileLock, seed!("Gemfile.lock")).join("\n");
    expect![[r#"
        /bundled with=2.5.18
        /checksum/bigdecimal=(3.1.8) sha256=a89467ed5a44f8ae01824af49cbc575871fa078332e8f77ea425725c1ffe27be
        /checksum/nokogiri=(1.16.7-aarch64-linux) sha256=78778d35f165b59513be31c0fe232c63a82cf5626ffba695b5f822e5da1d74b4, (1.16.7-x86_64-linux) sha256=9e1e428641d5942af877c60b418c71163560e9feb4a5c4015f3230a8b86a40f6
        /checksum/racc=1.8.1
        /dependencies/checkout!=
        /dependencies/nokogiri=~> 1.16
        /dependencies/rack=
        /dependencies/tax!=
        /package/bigdecimal/from=GEM, remote: https://rubygems.org/
        /package/bigdecimal/version=3.1.8
        /package/checkout/from=PATH, remote: engines/checkout
        /package/checkout/needs/rack=
        /package/checkout/version=1.0.0
        /package/nokogiri@1.16.7-aarch64-linux/from=GEM, remote: https://rubygems.org/
        /package/nokogiri@1.16.7-aarch64-linux/needs/racc=~> 1.4
        /package/nokogiri@1.16.7-aarch64-linux/version=1.16.7-aarch64-linux
        /package/nokogiri@1.16.7-x86_64-linux/from=GEM, remote: https://rubygems.org/
        /package/nokogiri@1.16.7-x86_64-linux/needs/racc=~> 1.4
        /package/nokogiri@1.16.7-x86_64-linux/version=1.16.7-x86_64-linux
        /package/racc/from=GEM, remote: https://rubygems.org/
        /package/racc/version=1.8.1
        /package/rack/from=GEM, remote: https://rubygems.org/
        /package/rack/version=3.1.7
        /package/tax/from=GIT, remote: https://git.example/shop/tax.git, revision: 9f2c1e7d5b8a4c6e0f1a2b3c4d5e6f7081920a3b, branch: main
        /package/tax/needs/bigdecimal=>= 3.1
        /package/tax/version=0.3.1
        /platforms=aarch64-linux, x86_64-linux
        /ruby version=ruby 3.3.5p100"#]]
    .assert_eq(&found);
}

#[test]
fn go_files_are_modules_and_directives() {
    let found = read(Format::GoSum, seed!("go.sum")).join("\n");
    expect![[r#"
        /package/github.com~1davecgh~1go-spew/go.mod=h1:J7Y8YcW2NihsgmVo/mv3lAwl/skON4iLHjSsI+c5H38=
        /package/github.com~1davecgh~1go-spew/sum=h1:vj9j/u1bqnvCEfJOwUhtlOARqs3+rkHYY13jYWTU97c=
        /package/github.com~1davecgh~1go-spew/version=v1.1.1
        /package/golang.org~1x~1text@v0.13.0/go.mod=h1:TvPlkZtksWOMsz7fbANvkp4WM8x/WCo/om8BMLbz+aE=
        /package/golang.org~1x~1text@v0.13.0/version=v0.13.0
        /package/golang.org~1x~1text@v0.14.0/go.mod=h1:18ZOQIKpY8NJVqYksKHtTdi31H5itFRjB5/qKTNYzSU=
        /package/golang.org~1x~1text@v0.14.0/sum=h1:ScX5w1eTa3QqT8oi6+ziP7dTV1S2+ALU0bI+0zXKWiQ=
        /package/golang.org~1x~1text@v0.14.0/version=v0.14.0"#]]
    .assert_eq(&found);
    let found = read(Format::GoMod, seed!("go.mod")).join("\n");
    expect![[r#"
        /exclude/golang.org~1x~1text=v0.12.0, v0.13.0
        /go=1.23.0
        /godebug/default=go1.21
        /module=shop.example/checkout
        /replace/golang.org~1x~1net=golang.org/x/net v0.29.0
        /replace/rsc.io~1quote v1.5.2=../quote
        /require/github.com~1davecgh~1go-spew=v1.1.1
        /require/golang.org~1x~1text=v0.14.0
        /require/rsc.io~1quote=v1.5.2
        /retract=[v1.0.0, v1.0.9], v1.1.0
        /toolchain=go1.23.2"#]]
    .assert_eq(&found);
}

#[test]
fn order_and_comments_are_no_difference_and_a_version_is_one() {
    let text = seed!("yarn-1.lock");
    let mut entries: Vec<&str> = text.split("\n\n").collect();
    entries.reverse();
    let turned = entries.join("\n\n# why\n");
    assert_eq!(
        read(Format::YarnLock, text),
        read(Format::YarnLock, &turned)
    );
    let newer = text.replace("4.3.7", "4.3.8");
    let (old, new) = (read(Format::YarnLock, text), read(Format::YarnLock, &newer));
    let changed: Vec<_> = old.iter().zip(&new).filter(|(a, b)| a != b).collect();
    assert_eq!(changed.len(), 2, "version and address: {changed:?}");
}

#[test]
fn what_is_broken_says_where_and_quotes_nothing() {
    use Format::{GemfileLock, GoMod, GoSum, YarnLock};
    for (format, text, why) in [
        (YarnLock, seed!("open-quote"), "no yarn.lock at line 2"),
        (YarnLock, seed!("merge"), "no yarn.lock at line 1"),
        (YarnLock, seed!("two-names"), "no yarn.lock at line 2"),
        (YarnLock, seed!("key-twice"), "no yarn.lock at line 3"),
        (YarnLock, seed!("too-deep"), "no yarn.lock at line 2"),
        (
            YarnLock,
            "a@1:\n  x 1\n\na@1:\n  x 2\n",
            "the same package twice",
        ),
        (GemfileLock, seed!("merge"), "no Gemfile.lock at line 1"),
        (
            GemfileLock,
            seed!("need-of-nobody"),
            "no Gemfile.lock at line 3",
        ),
        (
            GemfileLock,
            seed!("no-section"),
            "no Gemfile.lock at line 1",
        ),
        (GoMod, seed!("open-block"), "no go.mod at line 2"),
        (GoMod, seed!("open-name"), "no go.mod at line 1"),
        (GoSum, seed!("four-words"), "no go.sum at line 1"),
    ] {
        assert_eq!(paths(format, text).unwrap_err(), why, "{text}");
    }
    let twice = read(GoSum, seed!("bom-crlf"));
    assert_eq!(
        twice,
        ["/package/a/sum=h1:x, h1:y", "/package/a/version=v1"]
    );
    let many: String = (0..30_000).map(|n| format!("m{n} v1 h1:x\n")).collect();
    assert!(paths(GoSum, &many).unwrap_err().starts_with("more than"));
}

#[test]
fn every_seed_is_answered_by_every_reader() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/lock");
    let mut count = 0;
    for file in folder.read_dir().unwrap() {
        #[expect(
            clippy::disallowed_methods,
            reason = "seeds are shared with the fuzzer"
        )]
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for format in FORMATS {
            let _read = paths(format, &text);
        }
        count += 1;
    }
    assert!(count >= 18, "{count}");
}

proptest! {
    #[test]
    fn any_text_gives_packages_or_a_line(
        text in "([a-zGEM@\\^0-9:\"', ()=>/\\[\\]#!_-]{0,12}(\n|\n  |\n    |\n      | )){0,12}"
    ) {
        for format in FORMATS {
            if let Err(why) = paths(format, &text) {
                prop_assert!(why.len() < 200);
            }
        }
    }

    /// Whatever is asked for, and however names and versions meet: each package
    /// keeps its own version, and none is lost.
    #[test]
    fn no_package_of_a_yarn_lock_is_lost(
        entries in prop::collection::btree_map(("[ab]", 0_u8..4), 0_u8..3, 1..8)
    ) {
        let text: String = entries
            .iter()
            .map(|((name, range), version)| format!("{name}@{range}:\n  version \"{version}\"\n\n"))
            .collect();
        let found = read(Format::YarnLock, &text);
        for ((name, range), version) in &entries {
            let tail = format!("/for={range}");
            let held = found.iter().any(|line| {
                let Some(package) = line.strip_suffix(&tail) else { return false };
                let ours = package.strip_prefix("/package/").unwrap().starts_with(name.as_str());
                ours && found.contains(&format!("{package}/version={version}"))
            });
            prop_assert!(held, "{name}@{range} {version}: {found:?}");
        }
        prop_assert_eq!(found.len(), entries.len() * 2);
    }
}
