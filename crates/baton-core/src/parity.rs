//! placeholder until the parity branch lands
use serde::{Deserialize, Serialize};
/// placeholder
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Collector;
/// placeholder
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule;
