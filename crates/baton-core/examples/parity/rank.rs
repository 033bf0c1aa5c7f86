//! Where the parameter that failed stands among those of its file.

use std::collections::BTreeMap;
use std::path::Path;

use baton_core::id::Digest;
use baton_core::parity::doc::{self, Format};
use baton_core::parity::risk;

/// The parameters that failed, by project and file.
fn labels(folder: &Path) -> BTreeMap<(String, String), Vec<String>> {
    let text = std::fs::read_to_string(folder.join("docker_misconfig.tsv")).unwrap();
    let mut files: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let parts: Vec<&str> = line.split('\t').collect();
        let file = (parts[0].to_owned(), parts[1].to_owned());
        files.entry(file).or_default().push(parts[4].to_owned());
    }
    files
}

/// The parameters of a file, whose name in the labels may be cut short.
fn parameters(folder: &Path, file: &str) -> Option<Vec<(String, String)>> {
    let names = std::fs::read_dir(folder).unwrap().flatten();
    let names: Vec<String> = names
        .map(|of| of.file_name().into_string().unwrap())
        .collect();
    let near = |name: &&String| name.contains(file) || file.contains(name.as_str());
    let exact = names.iter().find(|name| *name == file);
    let name = exact.or_else(|| names.iter().find(near))?;
    let text = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    let format = if file.ends_with(".xml") {
        Format::Xml
    } else {
        Format::Properties
    };
    let paths = doc::paths(format, &text).ok()?.into_iter();
    let last = |path: String| path.rsplit('/').next().unwrap_or("").to_owned();
    Some(paths.map(|(path, value)| (last(path), value)).collect())
}

/// By the digest of the file's name: fixed, and blind to what is in it.
fn in_half(file: &str, half: &str) -> bool {
    let odd = Digest::of(file.as_bytes()).short().as_bytes()[0] % 2 == 1;
    match half {
        "tuning" => !odd,
        "held-out" => odd,
        _ => true,
    }
}

/// How many stand above a parameter; among equals the middle place is expected.
fn place(
    parameters: &[(String, String)],
    bad: &str,
    score: &dyn Fn(&str, &str) -> f64,
) -> Option<f64> {
    let of = parameters.iter().find(|(name, _)| name == bad)?;
    let mine = score(&of.0, &of.1);
    let scores = || parameters.iter().map(|(name, value)| score(name, value));
    let above = scores().filter(|score| *score > mine).count() as f64;
    let ties = scores().filter(|score| *score == mine).count() as f64;
    Some(above + (ties - 1.0) / 2.0)
}

/// Labels in files of at least five parameters, by our base and by the simple
/// score of the study.
pub(super) fn measure(folder: &Path, half: &str) {
    let ours = |name: &str, value: &str| f64::from(risk::of_value(name, value).base);
    let simple = |_: &str, value: &str| simple_class(value);
    let (mut of_ours, mut of_simple) = (Vec::new(), Vec::new());
    for ((project, file), bad) in labels(folder) {
        if !in_half(&file, half) {
            continue;
        }
        let Some(known) = parameters(&folder.join(project), &file) else {
            println!("unread {file}");
            continue;
        };
        if known.len() < 5 {
            continue;
        }
        for bad in bad {
            let places = (place(&known, &bad, &ours), place(&known, &bad, &simple));
            let (Some(by_ours), Some(by_simple)) = places else {
                println!("absent {file} {bad}");
                continue;
            };
            of_ours.push(by_ours);
            of_simple.push(by_simple);
            if by_ours >= 2.0 && half == "tuning" {
                println!("low {by_ours} {bad} of {}", known.len());
            }
        }
    }
    println!("labels {}", of_ours.len());
    for (who, places) in [("", &of_ours), ("simple_", &of_simple)] {
        for (key, most) in [("top3", 2.5), ("top1", 0.5)] {
            let hits = places.iter().filter(|place| **place <= most).count() as u32;
            let (low, high) = wilson(hits, places.len() as u32);
            println!(
                "{who}{key}_ratio {:.4}",
                f64::from(hits) / places.len() as f64
            );
            println!("{who}{key}_interval {low:.3} to {high:.3}");
        }
    }
}

/// Wilson's interval of 95 % (1927).
fn wilson(hits: u32, of: u32) -> (f64, f64) {
    let (n, z) = (f64::from(of), 1.959_964);
    let p = f64::from(hits) / n;
    let middle = p + z * z / (2.0 * n);
    let reach = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + z * z / n;
    ((middle - reach) / whole, (middle + reach) / whole)
}

/// The simple score of the study: by what the value looks like alone.
fn simple_class(value: &str) -> f64 {
    let host = |value: &str| {
        value.split('.').count() > 1
            && value.split('.').all(|part| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            })
    };
    let port = value.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty()
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
            && (2..=5).contains(&port.len())
            && port.bytes().all(|b| b.is_ascii_digit())
    });
    if value.contains("://") && !value.starts_with("file") || port {
        1.0
    } else if value.trim_start_matches("file:").starts_with('/') && value.len() > 1 {
        0.8
    } else if ["org.", "com.", "io."]
        .iter()
        .any(|start| value.starts_with(start))
    {
        0.5
    } else if host(value) {
        0.9
    } else if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        0.3
    } else {
        0.2
    }
}
