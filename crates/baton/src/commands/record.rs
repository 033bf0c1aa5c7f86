//! To be written.
use crate::desk::Desk;
use crate::exit::Exit;
use crate::failure::{Failure, Kind};
use crate::render::Out;
use std::path::Path;
pub(crate) fn export(_desk: &mut Desk, _out: &Out, _path: &Path) -> Result<Exit, Failure> {
    Err(later())
}
pub(crate) fn verify(_path: &Path, _out: &Out) -> Result<Exit, Failure> {
    Err(later())
}
fn later() -> Failure {
    Failure::new(Kind::Bug, "to be written")
}
