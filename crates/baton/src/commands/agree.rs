//! To be written.
use crate::desk::Desk;
use crate::exit::Exit;
use crate::failure::{Failure, Kind};
use crate::render::Out;
pub(crate) fn open_answers(_desk: &mut Desk) -> Result<(), Failure> {
    Ok(())
}
pub(crate) fn answer(
    _desk: &mut Desk,
    _out: &Out,
    _id: &str,
    _value: &str,
    _team: Option<&str>,
) -> Result<Exit, Failure> {
    Err(later())
}
pub(crate) fn offer(_desk: &mut Desk, _out: &Out) -> Result<Exit, Failure> {
    Err(later())
}
pub(crate) fn accept(_desk: &mut Desk, _out: &Out) -> Result<Exit, Failure> {
    Err(later())
}
pub(crate) fn accept_mine(_desk: &mut Desk, _out: &Out) -> Result<Exit, Failure> {
    Err(later())
}
pub(crate) fn sign(_desk: &mut Desk, _out: &Out, _criterion: &str) -> Result<Exit, Failure> {
    Err(later())
}
fn later() -> Failure {
    Failure::new(Kind::Bug, "to be written")
}
