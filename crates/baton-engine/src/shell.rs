//! Commands that outlive Baton.
//!
//! An attempt has a folder of its own on the host. A small wrapper of the same
//! binary (`attempt`) leads a session of its own there, runs the script, and
//! leaves how it ended; it survives the driver's death and the driver survives
//! its. `local` is the driver's side of it.
//!
//! ```text
//! script        the fence's body
//! pid           a link to nowhere whose text is "PID START-TIME" of the wrapper, or
//!               "void"; whoever makes it first decides whether the attempt ever runs
//! output        what was printed, masked and bounded, as it comes; if anything was
//! variables     lines NAME=value for later steps (BATON_OUTPUT)
//! exit.json     how it ended; renamed into place, so that it is whole or not there
//! ```

pub mod attempt;
pub mod local;
pub(crate) mod process;
