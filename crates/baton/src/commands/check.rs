//! To be written.
use crate::desk::Desk;
use crate::exit::Exit;
use crate::failure::{Failure, Kind};
use crate::render::Out;
pub(crate) fn run(
    _desk: &mut Desk,
    _out: &Out,
    _environment: Option<&str>,
    _now: bool,
) -> Result<Exit, Failure> {
    Err(later())
}
pub(crate) fn show(
    _desk: &Desk,
    _out: &Out,
    _plan: &baton_core::handoff::plan::Plan,
    _verdict: &baton_core::gate::Verdict,
) {
}
fn later() -> Failure {
    Failure::new(Kind::Bug, "to be written")
}
