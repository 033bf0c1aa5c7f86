//! Shares and delays with their standard errors.

/// One number for the record.
pub(crate) struct Row {
    /// Ends in the unit.
    pub(crate) key: String,
    /// `None`: more than half of the releases were never found.
    pub(crate) value: Option<f64>,
    pub(crate) spread: String,
}

/// The share of releases in which a rule fired, in percent.
pub(crate) fn share(key: String, fired: &[Option<usize>]) -> Row {
    let n = fired.len() as f64;
    let p = fired.iter().flatten().count() as f64 / n;
    let error = 100.0 * (p * (1.0 - p) / n).sqrt();
    Row {
        key,
        value: Some(100.0 * p),
        spread: format!("se {error:.2}, {n} runs"),
    }
}

/// The median delay from the onset on, in minutes; a release never found took
/// forever, one found before its onset is left out.
pub(crate) fn delay(key: String, fired: &[Option<usize>], onset: usize) -> Row {
    let after = fired.iter().filter(|at| at.is_none_or(|at| at > onset));
    let mut delays: Vec<usize> = after
        .map(|at| at.map_or(usize::MAX, |at| at - onset))
        .collect();
    delays.sort_unstable();
    let n = delays.len();
    let at = |rank: f64| delays[(rank.max(0.0) as usize).min(n - 1)];
    let (half, off) = (n as f64 / 2.0, 0.98 * (n as f64).sqrt());
    let said = |delay: usize| match delay {
        usize::MAX => "never".to_owned(),
        delay => delay.to_string(),
    };
    let found = delays.iter().filter(|delay| **delay < usize::MAX).count();
    let (low, high) = (at((n as f64 - 1.0) / 2.0), at(half));
    Row {
        key,
        value: (high < usize::MAX).then(|| (low + high) as f64 / 2.0),
        spread: format!(
            "95 %: {} to {}; {:.1} % of {n} found",
            said(at(half - off)),
            said(at(half + off)),
            100.0 * found as f64 / n as f64
        ),
    }
}

/// The `p` quantile, from above.
pub(crate) fn quantile(mut values: Vec<f64>, p: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (p * (values.len() as f64 - 1.0)).ceil() as usize;
    values[rank.min(values.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_delays_are_those_of_the_releases() {
        let fired = [Some(3), None, Some(9), Some(5)];
        let share = share("a_pct".to_owned(), &fired);
        assert_eq!(share.value, Some(75.0));
        assert!(share.spread.starts_with("se 21.65"), "{}", share.spread);
        let value = |onset| delay("d_min".to_owned(), &fired, onset).value;
        assert_eq!((value(0), value(4)), (Some(7.0), Some(5.0)));
        assert_eq!(delay(String::new(), &[None, None, Some(1)], 0).value, None);
        assert_eq!(quantile(vec![3.0, 1.0, 2.0, 4.0, 5.0], 0.75), 4.0);
    }
}
