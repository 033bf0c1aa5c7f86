//! Development only: a world that forgets nothing and can be crashed anywhere.
//!
//! A run of a small plan ([`plans`]) takes place on a site ([`site`]): a real
//! ledger in memory, simulated hosts ([`sim`]) and people. [`explore`] searches
//! every state that crashes can leave; [`seeds`] throws larger plans by dice;
//! [`overlap`] lets an old driver live on beside the new one. What must hold is
//! told a second time, independently of the core, in `model` and `check`;
//! [`bugs`] keeps all of that honest.
//!
//! It deliberately intercepts nothing: ledger and world are the two traits that
//! the driver sees, implemented again. What speaks HTTP is heard by a real
//! [`receiver`], which fails as it is told to.

pub mod choice;

pub mod plans;

pub mod sim;

pub mod history;

pub mod hook;

pub mod site;

mod people;

pub mod bugs;

pub mod fault;

mod model;

mod check;

pub mod found;

pub mod explore;

pub mod overlap;

pub mod seeds;

pub mod hunt;

pub mod receiver;
