//! The limits of a success measure, in words.

use super::Measure;
use crate::watch::words::{percent, points};

impl Measure {
    /// What was agreed, in words: `at most 1%, at most 0.5 points worse than
    /// before`, `95% within 300 ms`.
    pub fn bar(&self) -> String {
        let mut limits = Vec::new();
        if let Some(quantile) = self.quantile {
            limits.push(format!("{} within {}", percent(quantile.q), quantile.limit));
        }
        if let Some(most) = self.at_most {
            limits.push(format!("at most {}", percent(most)));
        }
        match self.worse_by {
            Some(0.0) => limits.push("no worse than before".to_owned()),
            Some(by) => limits.push(format!("at most {} worse than before", points(by))),
            None => {}
        }
        limits.join(", ")
    }
}
