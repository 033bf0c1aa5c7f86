//! The ledger's key: what makes the keyed hashes of one ledger comparable with
//! each other, and with no others.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::rand::{GetRandomFlags, getrandom};

const NAME: &str = "parity.key";
const LENGTH: usize = 32;

/// Reads the key of the ledger in `dir`, or makes it: 32 random bytes in
/// `parity.key`, readable by its owner only. Two processes that make it at once
/// get the same one.
///
/// # Errors
/// When the file cannot be read or written; `InvalidData` when it is not of
/// that length, since another key would make every secret look changed.
pub fn ledger_key(dir: &Path) -> io::Result<[u8; LENGTH]> {
    let path = dir.join(NAME);
    match read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(dir, &path)?;
            read(&path)
        }
        read => read,
    }
}

fn read(path: &Path) -> io::Result<[u8; LENGTH]> {
    fs::read(path)?.try_into().map_err(|found: Vec<u8>| {
        let path = path.display();
        let text = format!("{path} holds {} bytes, not a key of {LENGTH}", found.len());
        io::Error::new(io::ErrorKind::InvalidData, text)
    })
}

/// Writes a new key whole under a name of its own, then gives it its name
/// unless another process was first.
fn make(dir: &Path, path: &Path) -> io::Result<()> {
    let key: [u8; LENGTH] = random()?;
    let own = u64::from_le_bytes(random()?);
    let draft = dir.join(format!("{NAME}.{own:016x}"));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    let written = file.write_all(&key).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let key = ledger_key(dir.path()).unwrap();
        assert_eq!(ledger_key(dir.path()).unwrap(), key);
        assert_ne!(key, [0; LENGTH]);
        let mode = fs::metadata(dir.path().join(NAME))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

        let other = tempfile::tempdir().unwrap();
        assert_ne!(ledger_key(other.path()).unwrap(), key);
    }

    #[test]
    fn those_who_make_it_at_once_get_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let keys: Vec<_> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| ledger_key(dir.path()).unwrap()))
                .collect();
            makers
                .into_iter()
                .map(|maker| maker.join().unwrap())
                .collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }

    #[test]
    fn a_damaged_key_is_named_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        fs::write(&path, b"short").unwrap();
        let error = ledger_key(dir.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("parity.key holds 5 bytes"));
        assert_eq!(fs::read(&path).unwrap(), b"short");
    }
}
