//! No text makes the loader panic or hang, and no report leaves the file.

use proptest::prelude::*;

use super::{load, single};

/// Words that lead deep into the loader.
const WORDS: &str = "(apiVersion: kubewright.dev/v1alpha1|kind: Cluster|metadata: |spec:|  |\n|\n  |\n    |hosts:|- |name: |\
                     address: |roles: |\\[|\\]|\\{|\\}|, |: |m\\[1-3\\]|10.0.0.\\[1-3\\]|control-plane|etcd|worker|ssh: |bastion: |\
                     &a |\\*a|\\$\\{HOME\\}|\\$\\{X|\"|'|#|\\||>|~|null|true|0x1|\t|\r\n|é|---|labels: |becomePassword: |x)";

fn check(text: &str) -> Result<(), TestCaseError> {
    if let Err(report) = load(text) {
        prop_assert!(report.findings().count() > 0);
        prop_assert!(report.to_string().contains(" in /inv/cluster.yaml"));
        for finding in report.findings() {
            prop_assert!(finding.line <= text.matches('\n').count() + 1);
            prop_assert!(!finding.hint.is_empty());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn random_text_is_reported_on(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn random_yaml_is_reported_on(words in prop::collection::vec(WORDS, 0..40)) {
        check(&words.concat())?;
    }

    #[test]
    fn a_damaged_inventory_is_reported_on(start in 0_usize..200, length in 0_usize..40, patch in WORDS) {
        let mut text: Vec<char> = single("  ssh: {user: ops, bastion: jump}\n  network:\n    podCidr: 10.1.0.0/16\n").chars().collect();
        let start = start.min(text.len());
        let end = (start + length).min(text.len());
        text.splice(start..end, patch.chars());
        check(&text.into_iter().collect::<String>())?;
    }
}
