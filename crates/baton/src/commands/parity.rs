//! To be written.
use crate::desk::Desk;
use crate::exit::Exit;
use crate::failure::{Failure, Kind};
use crate::render::Out;
pub(crate) fn take(
    _desk: &mut Desk,
    _environment: &baton_core::id::EnvName,
    _before: Option<&baton_core::id::RunId>,
) -> Result<baton_core::id::Digest, Failure> {
    Err(later())
}
pub(crate) fn fingerprint(
    _desk: &mut Desk,
    _out: &Out,
    _environment: &str,
) -> Result<Exit, Failure> {
    Err(later())
}
pub(crate) fn compare(
    _desk: &mut Desk,
    _out: &Out,
    _environments: &[String],
) -> Result<Exit, Failure> {
    Err(later())
}
fn later() -> Failure {
    Failure::new(Kind::Bug, "to be written")
}
