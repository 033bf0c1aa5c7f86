//! What the server counts of itself, as text that Prometheus reads.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the buckets of answer times, in milliseconds.
const BOUNDS_MS: [u64; 8] = [1, 3, 10, 30, 100, 300, 1000, 3000];

/// Counters of checkouts; all start at 0, so that none is missing before the first error.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    good: AtomicU64,
    bad: AtomicU64,
    /// One for each bound, and one beyond the last.
    times: [AtomicU64; BOUNDS_MS.len() + 1],
    micros: AtomicU64,
}

impl Metrics {
    /// One checkout was answered.
    pub(crate) fn count(&self, good: bool, took: Duration) {
        let which = if good { &self.good } else { &self.bad };
        let bucket = BOUNDS_MS.partition_point(|bound| Duration::from_millis(*bound) < took);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        for (counter, by) in [(which, 1), (&self.times[bucket], 1), (&self.micros, micros)] {
            let _before = counter.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// The text (Prometheus exposition format 0.0.4).
    pub(crate) fn text(&self) -> String {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut text = "# TYPE http_requests_total counter\n".to_owned();
        for (code, counter) in [(200, &self.good), (500, &self.bad)] {
            let n = read(counter);
            // Writing to a string does not fail.
            let _ = writeln!(text, "http_requests_total{{code=\"{code}\"}} {n}");
        }
        text.push_str("# TYPE http_request_duration_seconds histogram\n");
        let mut upto = 0;
        for (bound, counter) in BOUNDS_MS.iter().zip(&self.times) {
            upto += read(counter);
            let le = Duration::from_millis(*bound).as_secs_f64();
            let _ = writeln!(
                text,
                "http_request_duration_seconds_bucket{{le=\"{le}\"}} {upto}"
            );
        }
        upto += self.times.last().map_or(0, read);
        let sum = Duration::from_micros(read(&self.micros)).as_secs_f64();
        let _ = write!(
            text,
            "http_request_duration_seconds_bucket{{le=\"+Inf\"}} {upto}\n\
             http_request_duration_seconds_sum {sum}\n\
             http_request_duration_seconds_count {upto}\n"
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_checkout_is_in_its_counter_and_its_bucket() {
        let metrics = Metrics::default();
        metrics.count(true, Duration::from_millis(2));
        metrics.count(false, Duration::from_secs(5));
        let text = metrics.text();
        for line in [
            "http_requests_total{code=\"200\"} 1\n",
            "http_requests_total{code=\"500\"} 1\n",
            "_bucket{le=\"0.001\"} 0\n",
            "_bucket{le=\"0.003\"} 1\n",
            "_bucket{le=\"3\"} 1\n",
            "_bucket{le=\"+Inf\"} 2\n",
            "_sum 5.002\n",
            "_count 2\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}
