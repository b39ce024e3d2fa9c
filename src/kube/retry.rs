//! The one retry policy: which refusals pass by themselves, and how long to wait for that.

use std::time::Duration;

use super::KubeError;

/// Retries after the first attempt. With the delays below they span three seconds: a blip, not an outage. Whoever
/// waits for an outage to end has a deadline and loops.
const RETRIES: u32 = 4;
const FIRST_DELAY: Duration = Duration::from_millis(200);
/// Longest wait that a server may ask for.
const LONGEST_ADVISED: Duration = Duration::from_secs(5);

/// How long to wait before the attempt after `attempts` failed ones, or none when it is time to give up.
pub(super) fn delay(attempts: u32, advised: Option<Duration>) -> Option<Duration> {
    if attempts == 0 || attempts > RETRIES {
        return None;
    }
    let own = FIRST_DELAY * 2_u32.pow(attempts - 1);
    Some(advised.map_or(own, |advised| own.max(advised.min(LONGEST_ADVISED))))
}

/// Whether to try again at once. Everything asked of the server may be asked twice: an apply, a merge patch and an
/// eviction with the same content end in the same state. A server that did not answer within the read timeout is not
/// asked again: that would multiply a wait which is long already.
pub(super) fn is_worthwhile(error: &KubeError) -> bool {
    match error {
        KubeError::Unreachable { .. } => true,
        KubeError::Rejected { code, reason, message, .. } => {
            matches!(code, 429 | 503 | 504) || reason == "ServerTimeout" || message.contains("etcdserver: ")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::super::Attempt;
    use super::*;

    #[test]
    fn delays_double_and_end() {
        let delays: Vec<_> = (0..7).map(|attempts| delay(attempts, None).map(|delay| delay.as_millis())).collect();
        assert_eq!(delays, [None, Some(200), Some(400), Some(800), Some(1600), None, None]);
    }

    #[test]
    fn the_servers_advice_counts_up_to_a_limit() {
        assert_eq!(delay(1, Some(Duration::from_secs(1))), Some(Duration::from_secs(1)));
        assert_eq!(delay(1, Some(Duration::from_secs(600))), Some(LONGEST_ADVISED));
        assert_eq!(delay(4, Some(Duration::ZERO)), Some(Duration::from_millis(1600)));
    }

    #[test]
    fn only_what_passes_by_itself_is_tried_again() {
        let attempt = || Attempt { verb: "apply", object: "ConfigMap ns/a".into() };
        let address = SocketAddr::from(([127, 0, 0, 1], 6443));
        let rejected = |code, reason: &str, message: &str| KubeError::Rejected {
            attempt: attempt(),
            code,
            reason: reason.into(),
            message: message.into(),
            hint: "",
        };
        for error in [
            KubeError::Unreachable { attempt: attempt(), address, message: "connection reset".into() },
            rejected(429, "TooManyRequests", "too many requests"),
            rejected(503, "ServiceUnavailable", "not ready"),
            rejected(504, "Timeout", "timeout"),
            rejected(500, "ServerTimeout", "try again"),
            rejected(500, "InternalError", "etcdserver: leader changed"),
        ] {
            assert!(is_worthwhile(&error), "{error}");
        }
        for error in [
            KubeError::TimedOut { attempt: attempt(), address, message: "timed out".into() },
            KubeError::Unauthorized { attempt: attempt(), message: "no".into() },
            KubeError::Conflict { attempt: attempt(), message: "no".into() },
            rejected(422, "Invalid", "no"),
            rejected(500, "InternalError", "no"),
        ] {
            assert!(!is_worthwhile(&error), "{error}");
        }
    }
}
