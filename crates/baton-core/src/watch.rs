//! placeholder until the judge branch lands
use serde::{Deserialize, Serialize};
/// placeholder
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample;
/// placeholder
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict;
