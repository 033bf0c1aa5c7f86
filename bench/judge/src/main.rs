//! Measures the judge's false alarms and delays beside its peers' rules, on the
//! same simulated and recorded releases. Every seed is fixed.
//!
//! `judge-bench [SCALE] [BLOCK...]`: a line `KEY<tab>VALUE<tab>SPREAD` for each figure on standard
//! output; SCALE 1 is the published run, 0.1 a quick look. `cargo xtask bench judge`
//! runs it and makes table and record of it.

mod blocks;
mod dice;
mod figures;
mod nab;
mod ours;
mod peers;
mod promises;
mod streams;

use std::io::Write as _;
use std::time::Instant;

use blocks::Scale;
use figures::Row;

/// A block of figures.
type Block = fn(Scale) -> Vec<Row>;

fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let scale = words.first().and_then(|word| word.parse().ok());
    let scale = Scale(scale.unwrap_or(1.0));
    let only = &words[words.len().min(1)..];
    let all: [(&str, Block); 8] = [
        ("speed", |_| promises::speed()),
        ("errors", blocks::errors),
        ("sparse", blocks::sparse),
        ("ten", blocks::ten),
        ("latency", blocks::latency),
        ("nab", |_| nab::placebo()),
        ("coverage", promises::coverage),
        ("invariance", promises::invariance),
    ];
    let mut out = std::io::stdout();
    for (name, block) in all {
        if !only.is_empty() && !only.iter().any(|word| word == name) {
            continue;
        }
        let begun = Instant::now();
        for Row { key, value, spread } in block(scale) {
            let value = value.map_or_else(|| "never".to_owned(), |value| format!("{value:.3}"));
            writeln!(out, "{key}\t{value}\t{spread}")?;
        }
        out.flush()?;
        let took = begun.elapsed().as_secs_f64();
        writeln!(std::io::stderr(), "{name}: {took:.1} s")?;
    }
    Ok(())
}
