//! The release's identity: the digests of its artifacts.
//!
//! The digest is that of the canonical JSON (RFC 8785) of a map from each
//! artifact's path, relative to the contract and with `/`, to the SHA-256
//! digest of its bytes. A folder stands for every file in it.

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
            let name = path.to_string_lossy().replace('\\', "/");
            let digest = file_digest(&folder.join(&path))
                .map_err(|error| format!("the artifact {name} cannot be read: {}", error.kind()))?;
            let _same = files.insert(name, digest);
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
    let unreadable =
        |error: io::Error| format!("the artifact {artifact} cannot be read: {}", error.kind());
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
        if is_dir && depth < DEPTH_MOST && found.len() <= FILES_MOST {
            walk(folder, &path, depth + 1, found)?;
        } else if !is_dir {
            found.push(path);
        }
    }
    Ok(())
}

fn file_digest(path: &Path) -> io::Result<Digest> {
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
}
