//! The arithmetic of the prober: what a row of requests amounts to.

use std::time::{Duration, Instant};

use serde::Serialize;

/// How many failures, and retries, a report tells one by one.
const TOLD: usize = 1000;

/// What became of one request.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    /// Why each attempt failed that could not even be sent and was made again.
    pub(crate) retried: Vec<String>,
    /// An answer, or why there is none.
    pub(crate) result: Result<(), String>,
}

/// The requests of one target, in the order in which they ended.
#[derive(Debug)]
pub(crate) struct Series {
    clock: (Instant, jiff::Timestamp),
    latest_answer: Instant,
    longest_gap: Duration,
    /// Of those that were answered.
    took: Vec<Duration>,
    failures: usize,
    retries: usize,
    failed: Vec<Incident>,
    retried: Vec<Incident>,
}

/// Something that went wrong once.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Incident {
    /// When the request began, by this host's clock.
    at: String,
    /// How long the request took, all attempts together.
    took_ms: f64,
    reason: String,
}

/// The result of a row of requests. Times are in milliseconds; those of requests are of the ones that were answered, and
/// contain their retries.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    requests: usize,
    failures: usize,
    /// From 0 to 1; of no requests at all, 0.
    success_rate: f64,
    /// Attempts that were made again because the request could not be sent.
    connect_retries: usize,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    max_ms: Option<f64>,
    /// The longest time in which no answer came in; begin and end of the run count as answers.
    longest_gap_ms: f64,
    /// The first of the failures.
    failed: Vec<Incident>,
    /// The first of the retries.
    retried: Vec<Incident>,
}

impl Series {
    pub(crate) fn begin(now: Instant) -> Self {
        Self {
            clock: (now, jiff::Timestamp::now()),
            latest_answer: now,
            longest_gap: Duration::ZERO,
            took: Vec::new(),
            failures: 0,
            retries: 0,
            failed: Vec::new(),
            retried: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, outcome: Outcome) {
        let took = outcome.ended.saturating_duration_since(outcome.began);
        let at = self.time_of(outcome.began);
        let incident = |reason| Incident { at: at.clone(), took_ms: milliseconds(took), reason };
        self.retries += outcome.retried.len();
        let room = TOLD - self.retried.len();
        self.retried.extend(outcome.retried.into_iter().take(room).map(incident));
        match outcome.result {
            Ok(()) => {
                self.took.push(took);
                self.answered(outcome.ended);
            }
            Err(reason) => {
                self.failures += 1;
                if self.failed.len() < TOLD {
                    self.failed.push(incident(reason));
                }
            }
        }
    }

    /// The series, with the time since the last answer counted.
    pub(crate) fn end(mut self, now: Instant) -> Self {
        self.answered(now);
        self
    }

    pub(crate) fn summary(mut self) -> Summary {
        self.took.sort_unstable();
        let requests = self.took.len() + self.failures;
        let percentile = |percent| percentile(&self.took, percent).map(milliseconds);
        Summary {
            requests,
            failures: self.failures,
            success_rate: if requests == 0 { 0.0 } else { self.took.len() as f64 / requests as f64 },
            connect_retries: self.retries,
            p50_ms: percentile(50),
            p99_ms: percentile(99),
            max_ms: percentile(100),
            longest_gap_ms: milliseconds(self.longest_gap),
            failed: self.failed,
            retried: self.retried,
        }
    }

    fn answered(&mut self, now: Instant) {
        self.longest_gap = self.longest_gap.max(now.saturating_duration_since(self.latest_answer));
        self.latest_answer = self.latest_answer.max(now);
    }

    fn time_of(&self, instant: Instant) -> String {
        let (reference, timestamp) = self.clock;
        let later = jiff::SignedDuration::try_from(instant.saturating_duration_since(reference)).unwrap_or_default();
        format!("{:.3}", timestamp.saturating_add(later).unwrap_or(timestamp))
    }
}

/// The smallest of `sorted` that at least `percent` of them do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(begin: Instant, milliseconds: u64) -> Instant {
        begin + Duration::from_millis(milliseconds)
    }

    fn outcome(begin: Instant, from: u64, to: u64, retried: &[&str], result: Result<(), &str>) -> Outcome {
        Outcome {
            began: after(begin, from),
            ended: after(begin, to),
            retried: retried.iter().map(|why| (*why).to_owned()).collect(),
            result: result.map_err(str::to_owned),
        }
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let all: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        for (percent, expected) in [(50, 100), (99, 198), (100, 200), (0, 1)] {
            assert_eq!(percentile(&all, percent), Some(Duration::from_millis(expected)), "{percent}");
        }
        assert_eq!(percentile(&all[..1], 50), Some(Duration::from_millis(1)));
        assert_eq!(percentile(&all[..3], 50), Some(Duration::from_millis(2)));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn answers_failures_and_retries_are_told_apart() {
        let begin = Instant::now();
        let mut series = Series::begin(begin);
        series.add(outcome(begin, 0, 10, &[], Ok(())));
        series.add(outcome(begin, 100, 430, &["refused", "refused"], Ok(())));
        series.add(outcome(begin, 200, 5200, &["refused"], Err("no answer within 5 s")));
        series.add(outcome(begin, 300, 320, &[], Ok(())));
        let summary = series.end(after(begin, 5300)).summary();
        assert_eq!((summary.requests, summary.failures, summary.connect_retries), (4, 1, 3));
        assert_eq!(summary.success_rate, 0.75);
        assert_eq!((summary.p50_ms, summary.p99_ms, summary.max_ms), (Some(20.0), Some(330.0), Some(330.0)));
        assert_eq!(summary.failed.len(), 1);
        assert_eq!((summary.failed[0].took_ms, &*summary.failed[0].reason), (5000.0, "no answer within 5 s"));
        let reasons: Vec<_> = summary.retried.iter().map(|one| (one.took_ms, &*one.reason)).collect();
        assert_eq!(reasons, [(330.0, "refused"), (330.0, "refused"), (5000.0, "refused")]);
        let at = |one: &Incident| one.at.parse::<jiff::Timestamp>().unwrap();
        let apart = at(&summary.failed[0]).duration_since(at(&summary.retried[0]));
        assert!((99..=101).contains(&apart.as_millis()), "{apart:?}");
    }

    #[test]
    fn a_gap_is_between_answers_and_at_both_ends() {
        let begin = Instant::now();
        let gap = |answers: &[u64], end: u64| {
            let mut series = Series::begin(begin);
            for answer in answers {
                series.add(outcome(begin, 0, *answer, &[], Ok(())));
                series.add(outcome(begin, 0, answer + 5, &[], Err("no")));
            }
            series.end(after(begin, end)).summary().longest_gap_ms
        };
        assert_eq!(gap(&[100, 200, 900, 1000], 1100), 700.0);
        assert_eq!(gap(&[800, 900], 1000), 800.0);
        assert_eq!(gap(&[100], 2000), 1900.0);
        assert_eq!(gap(&[], 50), 50.0);
        // One that was late to be read is no gap of its own.
        assert_eq!(gap(&[300, 200], 400), 300.0);
    }

    #[test]
    fn only_the_first_incidents_are_told_and_all_are_counted() {
        let begin = Instant::now();
        let mut series = Series::begin(begin);
        let requests = TOLD + 20;
        for number in 0..requests as u64 {
            series.add(outcome(begin, number, number + 1, &["a", "b"], Err("no")));
        }
        let summary = series.end(begin).summary();
        assert_eq!((summary.failures, summary.connect_retries, summary.success_rate), (requests, 2 * requests, 0.0));
        assert_eq!((summary.failed.len(), summary.retried.len(), summary.p50_ms), (TOLD, TOLD, None));
        let nothing = serde_json::to_value(Series::begin(begin).end(begin).summary()).unwrap();
        assert_eq!(nothing["requests"], 0);
        assert_eq!(nothing["success_rate"], 0.0);
        assert!(nothing["max_ms"].is_null());
    }
}
