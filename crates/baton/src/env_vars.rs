//! Every environment variable Baton reads, in one place.

/// The folder of what is this person's own, such as answers that are not yet
/// open: default `$XDG_STATE_HOME/baton`, else `$HOME/.local/state/baton`.
pub(crate) const BATON_HOME: &str = "BATON_HOME";
/// Who is speaking, like `--as`.
pub(crate) const BATON_AS: &str = "BATON_AS";
/// The program that is called instead of `ssh`; it takes what OpenSSH's `ssh`
/// takes. Host names, users, keys and jump hosts belong in its configuration.
pub(crate) const BATON_SSH: &str = "BATON_SSH";
/// Any value but the empty one switches colour off (<https://no-color.org>).
pub(crate) const NO_COLOR: &str = "NO_COLOR";
/// Base folder of state (XDG Base Directory Specification).
pub(crate) const XDG_STATE_HOME: &str = "XDG_STATE_HOME";
/// The person's home.
pub(crate) const HOME: &str = "HOME";
/// Width of the terminal, where it cannot be asked.
pub(crate) const COLUMNS: &str = "COLUMNS";
/// Any value but `0` colours answers also where no terminal is (<https://bixense.com/clicolors>).
pub(crate) const CLICOLOR_FORCE: &str = "CLICOLOR_FORCE";
