//! The gate against a small complete handoff that is fully ready, broken one
//! thing at a time.

mod sample;

mod world;

mod awake;

mod binding;

mod broken;

mod each_code;

mod poll;

mod from_files;

mod rounds;

mod verdict;
mod waivers;
