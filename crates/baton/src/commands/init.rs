//! To be written.
use crate::exit::Exit;
use crate::failure::{Failure, Kind};
use crate::render::Out;
use crate::settings::Settings;
pub(crate) fn run(_settings: &Settings, _out: &Out) -> Result<Exit, Failure> {
    Err(later())
}
fn later() -> Failure {
    Failure::new(Kind::Bug, "to be written")
}
