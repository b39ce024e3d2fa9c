//! Many errors take no longer than each of them, and are not all printed.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::{load, single, with_hosts};
use crate::inventory::Style;

const MANY: usize = 30_000;

fn lines(each: impl Fn(usize) -> String) -> String {
    (0..MANY).fold(String::new(), |mut text, index| {
        let _ = writeln!(text, "{}", each(index));
        text
    })
}

/// Each is wrong so often that the square of it would be noticed.
#[test]
fn errors_cost_no_more_than_each() {
    let labels = |labels: String| single(&format!("  labels:\n{labels}"));
    let cases = [
        ("keys that are none", single(&lines(|index| format!("  extra{index}: x")))),
        ("keys of labels", labels(lines(|index| format!("    \"bad key {index}\": x")))),
        ("keys twice", labels(lines(|_| "    same: x".to_owned()))),
        ("hosts that are none", with_hosts("", &lines(|_| "    - x".to_owned()))),
        ("hosts without address", with_hosts("", &lines(|index| format!("    - {{name: n{index}, roles: [worker]}}")))),
        (
            "ranges that do not match",
            with_hosts(
                "",
                &lines(|_| "    - {name: \"a[1-10000]\", address: \"10.0.0.[1-250]\", roles: [worker]}".to_owned()),
            ),
        ),
        (
            "addresses that do not match",
            with_hosts(
                "",
                &lines(|_| "    - {name: a, address: \"10.0.[1-100].[1-100]\", roles: [worker]}".to_owned()),
            ),
        ),
        (
            "on one line",
            single(&format!("  labels: {{{}}}\n", lines(|index| format!("\"b {index}\": x,")).replace('\n', " "))),
        ),
        ("pools", {
            let pools =
                lines(|index| format!("        - {{name: p, cidr: 10.{}.{}.0/24}}", 300 * index % 256, index % 256));
            single(&format!("  network:\n    plugin: calico\n    calico:\n      pools:\n{pools}"))
        }),
        ("taints", {
            let taints = lines(|index| format!("        - {{key: t{}, effect: NoSchedule}}", index / 2));
            with_hosts(
                "",
                &format!(
                    "    - name: m1\n      address: 10.1.0.1\n      roles: [control-plane, etcd, worker]\n      taints:\n{taints}"
                ),
            )
        }),
    ];
    for (what, text) in cases {
        let begun = Instant::now();
        let report = load(&text).map(|_| ()).unwrap_err();
        let count = report.findings().count();
        let shown = report.render(Style::Plain);
        assert!(count > 0, "{what}");
        assert!(shown.len() < 400_000, "{what}: {}", shown.len());
        assert!(begun.elapsed() < Duration::from_secs(15), "{what}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_hundred_errors_are_shown_and_the_others_counted() {
    let labels: String = (0..250).map(|index| format!("    \"bad key {index}\": x\n")).collect();
    let report = load(&single(&format!("  labels:\n{labels}"))).map(|_| ()).unwrap_err();
    let shown = report.to_string();
    assert_eq!((report.findings().count(), shown.matches("error: ").count()), (250, 100));
    assert!(
        shown.ends_with(
            "and 150 more; `kubewright validate -o json` tells all of them\n\n250 errors in /inv/cluster.yaml\n"
        ),
        "{}",
        &shown[shown.len() - 200..]
    );
}
