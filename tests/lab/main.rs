//! The end-to-end run in the lab: real hosts, the binary as it is shipped. The scenarios share one cluster and run in
//! order, because a cluster costs minutes. Runs when `KUBEWRIGHT_LAB_SUITE` is `test` or `soak` (see scripts/).
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test with a main of its own"
)]

mod bring_up;
mod disks;
mod drift;
mod endpoints;
mod etcd;
mod failures;
mod locking;
mod masters;
mod members;
mod network;
mod preparation;
mod semantics;
mod services;
mod snapshots;
mod support;
mod traffic;
mod upgrade;
mod watchers;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use world::World;

type Scenario = (&'static str, fn(&World));

/// In the order in which they run; each leaves the cluster as it found it, or further.
const TEST: &[Scenario] = &[
    ("the_binary_runs_anywhere", bring_up::the_binary_runs_anywhere),
    ("plan_on_bare_hosts_changes_nothing", bring_up::plan_on_bare_hosts_changes_nothing),
    ("a_host_that_fails_leaves_the_others_alone", failures::a_host_that_fails_leaves_the_others_alone),
    ("a_corrupt_blob_is_refused_and_named", failures::a_corrupt_blob_is_refused_and_named),
    (
        "unknown_host_keys_are_accepted_once_and_when_asked",
        failures::unknown_host_keys_are_accepted_once_and_when_asked,
    ),
    ("a_full_disk_is_found_first", failures::a_full_disk_is_found_first),
    ("six_things_wrong_are_six_findings", preparation::six_things_wrong_are_six_findings),
    ("services_in_the_way_are_told", services::services_in_the_way_are_told),
    ("blank_disks_are_used_and_others_are_not_touched", disks::blank_disks_are_used_and_others_are_not_touched),
    ("killed_at_every_checkpoint_it_converges", bring_up::killed_at_every_checkpoint_it_converges),
    ("five_nodes_are_ready_and_labelled", bring_up::five_nodes_are_ready_and_labelled),
    ("a_second_install_changes_nothing", bring_up::a_second_install_changes_nothing),
    ("keys_survive_an_empty_state_directory", bring_up::keys_survive_an_empty_state_directory),
    ("a_service_answers_through_ipvs", traffic::a_service_answers_through_ipvs),
    ("drift_is_named_and_mended", drift::drift_is_named_and_mended),
    ("two_installs_at_once", locking::two_installs_at_once),
    ("an_interrupted_run_says_so", locking::an_interrupted_run_says_so),
    ("a_helper_gets_logs_and_no_secrets", support::a_helper_gets_logs_and_no_secrets),
    ("the_installer_stays_small", bring_up::the_installer_stays_small),
    ("a_closed_port_is_named_with_host_and_peer", services::a_closed_port_is_named_with_host_and_peer),
    (
        "services_are_stopped_and_given_back_by_the_inventory",
        services::services_are_stopped_and_given_back_by_the_inventory,
    ),
    ("a_generator_of_swap_is_there", services::a_generator_of_swap_is_there),
    ("settings_survive_a_power_cut", preparation::settings_survive_a_power_cut),
    ("services_stay_as_they_are_over_a_power_cut", services::services_stay_as_they_are_over_a_power_cut),
    ("any_master_may_lose_power", masters::any_master_may_lose_power),
    ("reset_returns_hosts_to_bare", bring_up::reset_returns_hosts_to_bare),
    ("settings_are_given_back", preparation::settings_are_given_back),
    ("services_are_given_back", services::services_are_given_back),
];

/// The long ones: a fresh install killed at each checkpoint in turn, each master's power cut, and the
/// other endpoints.
const SOAK: &[Scenario] = &[
    ("each_checkpoint_on_bare_hosts", bring_up::each_checkpoint_on_bare_hosts),
    ("every_master_loses_power_in_turn", masters::every_master_loses_power_in_turn),
    ("a_change_rolls_through_the_masters", drift::a_change_rolls_through_the_masters),
    ("a_host_cut_off_in_the_middle_is_named", failures::a_host_cut_off_in_the_middle_is_named),
    ("a_kubelet_that_cannot_start_is_told", failures::a_kubelet_that_cannot_start_is_told),
    ("install_for_upgrades", upgrade::install_for_upgrades),
    ("a_cut_node_is_its_row_and_its_column", network::a_cut_node_is_its_row_and_its_column),
    ("addons_and_labels_follow_the_inventory", network::addons_and_labels_follow_the_inventory),
    ("kube_proxy_changes_its_mode", network::kube_proxy_changes_its_mode),
    ("an_upgrade_goes_unnoticed", upgrade::an_upgrade_goes_unnoticed),
    ("there_is_no_way_back_over_a_minor_of_etcd", upgrade::there_is_no_way_back_over_a_minor_of_etcd),
    ("a_broken_etcd_is_put_back", upgrade::a_broken_etcd_is_put_back),
    ("a_broken_api_server_is_put_back", upgrade::a_broken_api_server_is_put_back),
    ("a_broken_kubelet_is_put_back", upgrade::a_broken_kubelet_is_put_back),
    ("a_broken_kube_proxy_is_rolled_back", upgrade::a_broken_kube_proxy_is_rolled_back),
    ("a_restore_brings_everything_back", etcd::a_restore_brings_everything_back),
    ("watchers_see_a_restore", watchers::watchers_see_a_restore),
    ("a_member_loses_its_power_while_it_is_saved", watchers::a_member_loses_its_power_while_it_is_saved),
    ("snapshots_are_taken_in_turns", snapshots::snapshots_are_taken_in_turns),
    ("all_is_lost_but_the_bucket", snapshots::all_is_lost_but_the_bucket),
    ("a_minor_upgrade_pauses_for_a_canary", upgrade::a_minor_upgrade_pauses_for_a_canary),
    ("reset_returns_hosts_to_bare", bring_up::reset_returns_hosts_to_bare),
    // Its hosts are others, which need what this machine has.
    ("a_lost_member_is_replaced_while_a_writer_writes", members::a_lost_member_is_replaced_while_a_writer_writes),
    ("install_for_upgrades", upgrade::install_for_upgrades),
    ("killed_at_every_boundary_it_ends_upgraded", upgrade::killed_at_every_boundary_it_ends_upgraded),
    ("reset_returns_hosts_to_bare", bring_up::reset_returns_hosts_to_bare),
    ("install_for_upgrades", upgrade::install_for_upgrades),
    ("a_power_cut_in_the_middle_is_gone_on_with", upgrade::a_power_cut_in_the_middle_is_gone_on_with),
    ("reset_returns_hosts_to_bare", bring_up::reset_returns_hosts_to_bare),
    ("a_virtual_address_moves_to_a_living_master", endpoints::a_virtual_address_moves_to_a_living_master),
    ("an_external_endpoint_is_left_to_others", endpoints::an_external_endpoint_is_left_to_others),
    ("disks_survive_power_cuts_losses_and_resets", disks::disks_survive_power_cuts_losses_and_resets),
    ("containers_run_from_a_thin_pool", disks::containers_run_from_a_thin_pool),
];

fn main() -> ExitCode {
    let scenarios = match std::env::var("KUBEWRIGHT_LAB_SUITE").as_deref() {
        Ok("test") => TEST,
        Ok("soak") => SOAK,
        _ => {
            println!("the lab suite is not asked for; scripts/lab-suite.sh runs it");
            return ExitCode::SUCCESS;
        }
    };
    let only = std::env::var("KUBEWRIGHT_LAB_ONLY").unwrap_or_default();
    let wanted = |name: &str| only.is_empty() || only.split(',').any(|part| name.contains(part));
    let chosen: Vec<_> = scenarios.iter().filter(|(name, _)| wanted(name)).collect();
    println!("running {} scenarios", chosen.len());
    let world = World::up();
    let (mut passed, mut failed) = (0, 0);
    for (name, scenario) in chosen {
        let began = Instant::now();
        let ok = catch_unwind(AssertUnwindSafe(|| scenario(&world))).is_ok();
        let result = if ok { "ok" } else { "FAILED" };
        println!("test lab::{name} ... {result} ({:.1} s)", began.elapsed().as_secs_f64());
        if ok {
            passed += 1
        } else {
            failed += 1
        }
        if !ok {
            // What comes later builds on this; its failures would only hide the cause.
            break;
        }
    }
    if failed == 0 || std::env::var_os("KUBEWRIGHT_LAB_KEEP").is_none() {
        world.down();
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {passed} passed; {failed} failed; 0 ignored");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
