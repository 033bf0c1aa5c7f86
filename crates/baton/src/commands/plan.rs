//! To be written.
use crate::desk::Desk;
use crate::exit::Exit;
use crate::failure::{Failure, Kind};
use crate::render::Out;
pub(crate) fn run(
    _desk: &mut Desk,
    _out: &Out,
    _environment: Option<&str>,
) -> Result<Exit, Failure> {
    Err(later())
}
fn later() -> Failure {
    Failure::new(Kind::Bug, "to be written")
}
