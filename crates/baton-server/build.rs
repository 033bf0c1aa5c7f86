//! Puts the built page where the program takes it from. A checkout whose page
//! was not built still compiles, and says so instead of showing a page.

use std::fs;
use std::io;
use std::path::Path;

const UNBUILT: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Baton</title>\
    <p>This Baton was built without its page: run <code>cargo xtask page</code> and build it again. \
    The API is at <a href=/api/openapi.json>/api/openapi.json</a>.";

fn main() -> io::Result<()> {
    let built = Path::new("../../web/dist");
    // A path that is not there would have this run, and all above it built, each time.
    let watched = if built.exists() {
        "../../web/dist"
    } else {
        "../../web"
    };
    println!("cargo:rerun-if-changed={watched}");
    println!("cargo:rerun-if-changed=build.rs");
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("no OUT_DIR"))?;
    let page = Path::new(&out).join("page");
    if page.exists() {
        fs::remove_dir_all(&page)?;
    }
    fs::create_dir_all(&page)?;
    if built.join("index.html").exists() {
        copy(built, &page)
    } else {
        fs::write(page.join("index.html"), UNBUILT)
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            let _bytes = fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
