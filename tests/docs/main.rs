//! The documentation is true: generated pages are current, links lead somewhere, command lines are understood, inventories
//! are valid, and what can be run here does what the pages show.

#![allow(clippy::unwrap_used, clippy::panic)]

mod blocks;
mod commands;
mod examples;
mod inventory;
mod markdown;
mod shell;
mod versions;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use markdown::{book, normal, page, root};

#[test]
fn generated_pages_are_current() {
    let generated =
        [("docs/src/reference/inventory.md", inventory::text()), ("docs/src/reference/versions.md", versions::text())];
    for (path, text) in generated {
        if std::env::var_os("KUBEWRIGHT_UPDATE_DOCS").is_some() {
            fs::write(root().join(path), &text).unwrap();
        }
        let there = fs::read_to_string(root().join(path)).unwrap_or_default();
        assert!(there == text, "{path} is not current; run the tests with KUBEWRIGHT_UPDATE_DOCS=1");
    }
}

#[test]
fn the_summary_lists_every_page_once() {
    let summary = page("docs/src/SUMMARY.md");
    let listed: Vec<PathBuf> = summary.links().iter().map(|(_, target)| Path::new("docs/src").join(target)).collect();
    let unique: BTreeSet<&PathBuf> = listed.iter().collect();
    assert_eq!(unique.len(), listed.len(), "a page is listed twice");
    let pages = book();
    let there: BTreeSet<&PathBuf> =
        pages.iter().map(|page| &page.path).filter(|path| !path.ends_with("SUMMARY.md")).collect();
    assert_eq!(unique, there);
}

#[test]
fn every_link_leads_somewhere() {
    let pages = book();
    let anchors = |path: &Path| pages.iter().find(|page| page.path == path).map(markdown::Page::anchors);
    let mut dead = Vec::new();
    for page in pages.iter().chain([&page("README.md")]) {
        for (line, link) in page.links() {
            if link.starts_with("https://") {
                continue;
            }
            let (target, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if target.is_empty() { page.path.clone() } else { normal(&page.directory().join(target)) };
            let leads = match (anchors(&target), anchor) {
                (Some(_), "") => true,
                (Some(anchors), anchor) => anchors.iter().any(|one| one == anchor),
                (None, "") => root().join(&target).exists(),
                (None, _) => false,
            };
            if !leads {
                dead.push(format!("{}: {link}", page.at(line)));
            }
        }
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn the_readme_leads_to_the_book() {
    assert!(page("README.md").links().iter().any(|(_, target)| target.starts_with("docs/")));
}
