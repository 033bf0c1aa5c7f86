//! Links `baton` at a fixed address on Linux.
//!
//! The wrapper of every command is this same binary, and a binary that may be
//! loaded anywhere has 32,000 addresses to be put right at each start: a third of
//! what starting it costs. Libraries, heap and stack lie at random places as ever.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |name: &str| std::env::var(name).unwrap_or_default();
    if target("CARGO_CFG_TARGET_OS") == "linux" && target("CARGO_CFG_TARGET_ENV") == "gnu" {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
