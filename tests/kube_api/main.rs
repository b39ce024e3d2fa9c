//! The API client against a real etcd and a real API server.
//!
//! One server serves all scenarios, each in a namespace and with nodes of its own; so they are one test, which names
//! every scenario that failed.

// The lint's exception for tests ends at the functions that they call.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod addons;
mod canary;
mod certificates;
mod command;
mod drain;
mod errors;
mod findings;
mod gates;
mod nodes;
mod objects;
mod other;
mod reviewed;
mod server;

use std::sync::Arc;

use server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn against_a_real_api_server() {
    let server = Arc::new(Server::start().await);
    // Counts requests of the whole server, so nobody else may send any.
    objects::a_run_without_changes_only_reads(&server).await;

    let mut scenarios = tokio::task::JoinSet::new();
    let mut names = std::collections::HashMap::new();
    macro_rules! scenario {
        ($($module:ident::$name:ident),* $(,)?) => {$(
            let shared = Arc::clone(&server);
            let handle = scenarios.spawn(async move { $module::$name(&shared).await });
            names.insert(handle.id(), stringify!($module::$name));
        )*};
    }
    scenario![
        objects::drift_is_seen_and_mended,
        objects::fields_no_longer_wanted_go,
        objects::objects_of_others_are_adopted,
        objects::secrets_are_compared_and_not_shown,
        objects::failures_are_collected,
        objects::a_scale_that_goes_to_others_stays,
        objects::an_equal_quantity_is_no_change,
        nodes::marks_come_stay_and_go,
        nodes::a_pod_network_is_set_once,
        nodes::a_missing_node_is_not_created,
        nodes::a_cordon_is_ours_or_stays,
        drain::a_budget_blocks_until_it_is_gone,
        drain::nothing_is_changed_when_anything_is_forbidden,
        gates::nodes_are_ready_or_named,
        gates::workloads_are_rolled_out_or_named,
        gates::the_control_plane_runs_or_is_named,
        gates::crashing_static_pods_are_found,
        gates::a_node_is_back_or_not,
        addons::an_addon_comes_changes_and_goes,
        addons::an_object_that_is_none_changes_nothing,
        reviewed::the_network_is_accepted_as_it_was_reviewed,
        canary::a_canary_lives_and_goes,
        findings::what_is_in_the_way_is_found,
        findings::what_holds_a_drain_is_found,
        errors::certificates_that_do_not_fit_are_told_apart,
        errors::a_user_without_rights_is_forbidden,
        errors::nobody_answers,
    ];
    let mut failed = Vec::new();
    while let Some(result) = scenarios.join_next_with_id().await {
        if let Err(error) = result {
            failed.push(names[&error.id()]);
        }
    }
    assert!(failed.is_empty(), "failed: {failed:?}; see the panics above");
}
