//! Arrows between crates, read from the manifests through `cargo metadata`, and
//! the few modules of a crate that another one must never name.

use std::process::Command;

use serde_json::Value;

use crate::core_arrows::named_under;
use crate::hold;
use crate::source::{Source, root, rust_under};

/// Each crate may use whatever stands to its right.
const ORDER: [&str; 5] = [
    "baton",
    "baton-server",
    "baton-engine",
    "baton-store",
    "baton-core",
];

/// Development only: uses these, and is only ever a dev-dependency.
const TESTKIT: (&str, [&str; 3]) = (
    "baton-testkit",
    ["baton-engine", "baton-store", "baton-core"],
);

/// (folder of the user, crate, module) that must not meet.
const NEVER: [(&str, &str, &str); 4] = [
    ("crates/baton-store/", "baton_core", "gate"),
    ("crates/baton-store/", "baton_core", "run"),
    ("crates/baton-server/", "baton_engine", "shell"),
    ("crates/baton-server/", "baton_engine", "collect"),
];

/// One dependency of a member on another member.
struct Arrow {
    from: String,
    /// Where the manifest of `from` lies, seen from the root.
    folder: String,
    to: String,
    dev: bool,
}

fn arrows(metadata: &Value) -> Vec<Arrow> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages = list(&metadata["packages"]);
    let names: Vec<String> = packages
        .iter()
        .map(|package| text(&package["name"]))
        .collect();
    let root = format!("{}/", text(&metadata["workspace_root"]));
    let mut found = Vec::new();
    for package in &packages {
        for dependency in list(&package["dependencies"]) {
            if names.contains(&text(&dependency["name"])) {
                found.push(Arrow {
                    from: text(&package["name"]),
                    folder: text(&package["manifest_path"]).replace(&root, ""),
                    to: text(&dependency["name"]),
                    dev: dependency["kind"] == "dev",
                });
            }
        }
    }
    found
}

fn forbidden(arrow: &Arrow) -> Option<String> {
    let Arrow {
        from,
        folder,
        to,
        dev,
    } = arrow;
    let rank = |name: &str| ORDER.iter().position(|known| *known == name);
    let allowed = if folder.starts_with("bench/") {
        // What is measured without a process around it is a pure function.
        to == "baton-core"
    } else if !folder.starts_with("crates/") {
        false
    } else if to == TESTKIT.0 {
        *dev && from != to
    } else if from == TESTKIT.0 {
        TESTKIT.1.contains(&to.as_str())
    } else {
        matches!((rank(from), rank(to)), (Some(from), Some(to)) if from < to)
    };
    let kind = if *dev { " (dev)" } else { "" };
    (!allowed).then(|| format!("{folder}: {from} -> {to}{kind} is no arrow of the house"))
}

fn meetings(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for (folder, krate, module) in NEVER {
        if source.path.starts_with(folder) {
            let named = named_under(&source.product_code(), krate);
            found.extend(named.into_iter().filter(|(_, name)| name == module).map(
                |(line, name)| {
                    format!(
                        "{}:{line}: {krate}::{name} must not be known here",
                        source.path
                    )
                },
            ));
        }
    }
    found
}

#[test]
fn crates_only_know_what_stands_to_their_right() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let arrows = arrows(&metadata);
    assert!(arrows.len() > 3, "the manifests were read");
    let complaints: Vec<String> = arrows.iter().filter_map(forbidden).collect();
    hold("arrows between crates", &complaints);
}

#[test]
fn crates_do_not_name_what_they_must_not_know() {
    let complaints: Vec<String> = rust_under("crates/").iter().flat_map(meetings).collect();
    hold("modules that must not be known", &complaints);
}

mod tests {
    use super::*;

    fn judged(from: &str, folder: &str, to: &str, kind: Value) -> bool {
        let package = |name: &str, folder: &str, dependencies: Value| {
            serde_json::json!({ "name": name, "manifest_path": format!("/r/{folder}{name}/Cargo.toml"),
                                "dependencies": dependencies })
        };
        let used =
            serde_json::json!([{ "name": to, "kind": kind }, { "name": "serde", "kind": null }]);
        let metadata = serde_json::json!({ "workspace_root": "/r", "packages": [
            package(from, folder, used), package(to, "crates/", Value::Null) ] });
        let arrows = arrows(&metadata);
        assert_eq!(arrows.len(), 1, "only members count");
        forbidden(&arrows[0]).is_none()
    }

    #[test]
    fn right_is_allowed_and_left_is_not() {
        assert!(judged("baton", "crates/", "baton-core", Value::Null));
        assert!(judged(
            "baton-engine",
            "crates/",
            "baton-store",
            Value::Null
        ));
        assert!(!judged("baton-core", "crates/", "baton-store", Value::Null));
        assert!(!judged(
            "baton-store",
            "crates/",
            "baton-engine",
            "dev".into()
        ));
        assert!(!judged("baton-testkit", "crates/", "baton", Value::Null));
        assert!(
            !judged("baton-more", "crates/", "baton-core", Value::Null),
            "no row, no arrow"
        );
    }

    #[test]
    fn the_testkit_is_for_tests() {
        assert!(judged(
            "baton-engine",
            "crates/",
            "baton-testkit",
            "dev".into()
        ));
        assert!(!judged(
            "baton-engine",
            "crates/",
            "baton-testkit",
            Value::Null
        ));
        assert!(!judged(
            "baton-engine",
            "crates/",
            "baton-testkit",
            "build".into()
        ));
        assert!(judged(
            "baton-testkit",
            "crates/",
            "baton-store",
            Value::Null
        ));
    }

    #[test]
    fn examples_and_chores_use_none_of_ours() {
        assert!(!judged("shop", "examples/", "baton-core", Value::Null));
        assert!(!judged("xtask", "", "baton-core", "dev".into()));
    }

    #[test]
    fn the_store_knows_no_gate() {
        let bad = Source::new(
            "crates/baton-store/src/lib.rs",
            "use baton_core::{id, gate::Verdict};",
        );
        assert_eq!(meetings(&bad).len(), 1);
        let fine = Source::new(
            "crates/baton-engine/src/lib.rs",
            "use baton_core::gate::Verdict;",
        );
        assert!(meetings(&fine).is_empty());
    }
}
