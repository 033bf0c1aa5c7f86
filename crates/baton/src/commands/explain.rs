//! To be written.
use crate::exit::Exit;
use crate::failure::{Failure, Kind};
use crate::render::Out;
pub(crate) fn run(_code: &str, _out: &Out) -> Result<Exit, Failure> {
    Err(later())
}
fn later() -> Failure {
    Failure::new(Kind::Bug, "to be written")
}
