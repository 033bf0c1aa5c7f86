//! The release's identity: the digests of its artifacts.
//!
//! The digest is that of the canonical JSON (RFC 8785) of a map from each
//! artifact's path, relative to the contract and with `/`, to the SHA-256
//! digest of its bytes. A folder stands for every file in it, and a link for
//! the file it leads to. What cannot be taken in whole has no digest: a release
//! of which a part is overlooked would pass for another.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use baton_core::id::Digest;
use globset::Glob;
use sha2::{Digest as _, Sha256};

/// The most files a release may have: beyond it, a pattern is a mistake.
pub const FILES_MOST: usize = 100_000;

/// How deep folders are followed.
const DEPTH_MOST: usize = 64;

/// The digest of everything these files, folders and globs name.
///
/// # Errors
/// Says which one names nothing, lies outside of `folder`, or cannot be read.
pub fn digest(folder: &Path, artifacts: &[&str]) -> Result<Digest, String> {
    let mut files = BTreeMap::new();
    for artifact in artifacts {
        let found = find(folder, artifact)?;
        if found.is_empty() {
            return Err(format!("the artifact {artifact} is not there"));
        }
        for path in found {
            let shown = path.display();
            let name = path
                .to_str()
                .ok_or_else(|| format!("the name of the artifact {shown} is not UTF-8"))?;
            let digest = file_digest(&folder.join(&path))
                .map_err(|error| format!("the artifact {shown} cannot be read: {error}"))?;
            let _same = files.insert(name.to_owned(), digest);
        }
        if files.len() > FILES_MOST {
            return Err(format!("the artifacts are more than {FILES_MOST} files"));
        }
    }
    if files.is_empty() {
        return Err("the contract names no artifact".to_owned());
    }
    Ok(Digest::of_value(&files))
}

fn find(folder: &Path, artifact: &str) -> Result<Vec<PathBuf>, String> {
    let plain = Path::new(artifact);
    if plain.is_absolute() || plain.components().any(|part| part == Component::ParentDir) {
        return Err(format!(
            "the artifact {artifact} lies outside of the contract's folder"
        ));
    }
    let unreadable = |error: io::Error| format!("the artifact {artifact} cannot be read: {error}");
    let mut found = Vec::new();
    let is_glob = artifact.contains(['*', '?', '[', '{']);
    if !is_glob {
        let at = folder.join(plain);
        match fs::metadata(&at) {
            Ok(meta) if meta.is_dir() => walk(folder, plain, 0, &mut found).map_err(unreadable)?,
            Ok(_) => found.push(plain.to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(error)),
        }
        return Ok(found);
    }
    let matcher = Glob::new(artifact)
        .map_err(|error| format!("the artifact {artifact} is no pattern: {error}"))?
        .compile_matcher();
    // Everything below the part that holds no pattern.
    let fixed: PathBuf = plain
        .components()
        .take_while(|part| {
            !part
                .as_os_str()
                .to_string_lossy()
                .contains(['*', '?', '[', '{'])
        })
        .collect();
    if folder.join(&fixed).is_dir() {
        walk(folder, &fixed, 0, &mut found).map_err(unreadable)?;
    }
    found.retain(|path| matcher.is_match(path));
    Ok(found)
}

fn walk(folder: &Path, at: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(at))? {
        let entry = entry?;
        let path = at.join(entry.file_name());
        let is_dir = entry.file_type()?.is_dir();
        if is_dir && entry.file_name() == ".baton" {
            continue;
        }
        if !is_dir {
            found.push(path);
            if found.len() > FILES_MOST {
                let many = format!("there are more than {FILES_MOST} files to look through");
                return Err(io::Error::other(many));
            }
        } else if depth < DEPTH_MOST {
            walk(folder, &path, depth + 1, found)?;
        } else {
            let deep = format!("it has folders more than {DEPTH_MOST} deep");
            return Err(io::Error::other(deep));
        }
    }
    Ok(())
}

fn file_digest(path: &Path) -> io::Result<Digest> {
    // Before it is opened: a pipe would be waited for, a device has no end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(Digest::finish(hasher));
        }
        hasher.update(&buffer[..n]);
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_digest_follows_every_byte_and_name_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        fs::create_dir_all(at.join("dist/sub")).unwrap();
        fs::write(at.join("dist/a"), "1").unwrap();
        fs::write(at.join("dist/sub/b"), "2").unwrap();
        fs::write(at.join("other"), "3").unwrap();
        let first = digest(at, &["dist"]).unwrap();
        assert_eq!(first, digest(at, &["dist/**"]).unwrap());
        assert_eq!(first, digest(at, &["dist/a", "dist/sub/*"]).unwrap());
        fs::write(at.join("other"), "4").unwrap();
        assert_eq!(first, digest(at, &["dist"]).unwrap());
        fs::write(at.join("dist/sub/b"), "5").unwrap();
        assert_ne!(first, digest(at, &["dist"]).unwrap());
    }

    #[test]
    fn what_is_not_there_or_outside_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for (artifact, word) in [
            ("gone", "gone"),
            ("*.zip", "*.zip"),
            ("../x", "outside"),
            ("/etc/passwd", "outside"),
        ] {
            let why = digest(folder.path(), &[artifact]).unwrap_err();
            assert!(why.contains(word), "{why}");
        }
        assert!(digest(folder.path(), &[]).is_err());
    }

    #[test]
    fn a_release_that_cannot_be_taken_in_whole_has_no_digest() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let deep = vec!["d"; DEPTH_MOST + 2].join("/");
        fs::create_dir_all(at.join("deep").join(deep)).unwrap();
        fs::create_dir(at.join("odd")).unwrap();
        let odd = OsStr::from_bytes(b"odd/a\xff");
        fs::write(at.join(odd), "1").unwrap();
        fs::create_dir(at.join("device")).unwrap();
        symlink("/dev/zero", at.join("device/zero")).unwrap();
        fs::create_dir(at.join("folder")).unwrap();
        symlink("../odd", at.join("folder/odd")).unwrap();
        for (artifact, word) in [
            ("deep", "64 deep"),
            ("deep/**/*.bin", "64 deep"),
            ("odd", "not UTF-8"),
            ("device", "device/zero cannot be read: it is not a file"),
            ("folder/*", "folder/odd cannot be read: it is not a file"),
        ] {
            let why = digest(at, &[artifact]).unwrap_err();
            assert!(why.contains(word), "{artifact}: {why}");
        }
    }

    #[test]
    fn a_backslash_is_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        fs::create_dir_all(at.join("dist/a")).unwrap();
        fs::write(at.join("dist/a/b"), "1").unwrap();
        fs::write(at.join(r"dist/a\b"), "2").unwrap();
        let before = digest(at, &["dist"]).unwrap();
        fs::write(at.join("dist/a/b"), "3").unwrap();
        let after = digest(at, &["dist"]).unwrap();
        fs::write(at.join(r"dist/a\b"), "4").unwrap();
        let last = digest(at, &["dist"]).unwrap();
        assert!(before != after && after != last);
    }
}
