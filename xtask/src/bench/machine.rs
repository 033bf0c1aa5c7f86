//! On what the figures were taken. What cannot be read is left out.

use serde_json::{Map, Value};

use crate::shell;

/// Cores, memory, kernel, processor, compiler, commit and date.
pub(super) fn describe() -> Map<String, Value> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let said = |name: &str, words: &[&str]| shell::output(shell::program(name).args(words)).ok();
    let texts = [
        ("processor", field(&read("/proc/cpuinfo"), "model name")),
        ("kernel", said("uname", &["-srm"])),
        ("rustc", said("rustc", &["--version"])),
        ("commit", said("git", &["rev-parse", "--short", "HEAD"])),
        ("date", Some(today())),
    ];
    let mut machine = Map::new();
    if let Ok(cores) = std::thread::available_parallelism() {
        machine.insert("cores".to_owned(), cores.get().into());
    }
    if let Some(kib) = kib(&read("/proc/meminfo"), "MemTotal") {
        machine.insert("memory_mib".to_owned(), (kib / 1024).into());
    }
    for (key, text) in texts {
        if let Some(text) = text {
            machine.insert(key.to_owned(), text.into());
        }
    }
    machine
}

/// The day, in UTC, as `2026-11-25`.
pub(super) fn today() -> String {
    let day = shell::output(shell::program("date").args(["-u", "+%F"]));
    day.unwrap_or_else(|_| "undated".to_owned())
}

/// The value of the first line `name: value` of a file under `/proc`.
pub(super) fn field(text: &str, name: &str) -> Option<String> {
    let (_, value) = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(known, _)| known.trim() == name)?;
    Some(value.trim().to_owned())
}

/// The same, where the value is `NUMBER kB`.
pub(super) fn kib(text: &str, name: &str) -> Option<u64> {
    field(text, name)?.strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc_are_read() {
        let text = "processor\t: 0\nmodel name\t: Fast 9: X\nVmHWM:\t   2048 kB\nThreads:\t1\n";
        assert_eq!(field(text, "model name").as_deref(), Some("Fast 9: X"));
        assert_eq!(kib(text, "VmHWM"), Some(2048));
        assert_eq!(kib(text, "Threads"), None);
        assert_eq!(kib("", "VmHWM"), None);
    }

    #[test]
    fn days_are_written_as_in_names_of_files() {
        let today = today();
        assert_eq!(
            (today.len(), today.matches('-').count()),
            (10, 2),
            "{today}"
        );
    }
}
