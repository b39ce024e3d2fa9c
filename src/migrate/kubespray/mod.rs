//! kubespray: an inventory of Ansible with kubespray's groups, and the variables beside it.

mod calico;
mod endpoint;
mod groups;
mod hosts;
mod ini;
mod reader;
mod table;
mod variables;
mod yaml;

use super::draft::{At, Draft, Problem, Tool};
use super::files::ENDINGS;
use super::{File, document};
use groups::{Inventory, Variables};
use reader::Reader;

const TOOL: Tool = Tool { name: "kubespray", reset: "ansible-playbook reset.yml" };

/// Makes a draft of an inventory, the first file, and of the variables in the others.
pub(super) fn draft(from: &str, files: &[File]) -> Draft {
    let mut draft = Draft::new(TOOL, from);
    let Some((first, variables)) = files.split_first() else { return draft };
    let directory = std::path::Path::new(&first.name).parent().map(|path| path.display().to_string());
    draft.base = directory.filter(|directory| !directory.is_empty());
    let (mut inventory, problems) =
        if is_yaml(first) { yaml::read(&first.name, &first.text) } else { ini::read(&first.name, &first.text) };
    draft.problems.extend(problems);
    // Newer playbooks put this group together by themselves.
    for child in ["kube_control_plane", "kube_node", "calico_rr"] {
        inventory.group("k8s_cluster").children.insert(child.to_owned());
    }
    for file in variables {
        if let Err(problem) = add(&mut inventory, file, &mut draft) {
            draft.problems.push(problem);
        }
    }
    draft.name = name(&first.name);
    let mut reader = Reader::new(&mut draft, inventory.of_cluster());
    variables::carry(&mut reader);
    endpoint::carry(&mut reader);
    let calico = calico::carry(&mut reader);
    let used = reader.finish();
    reader::of_some(&inventory, &used, &mut draft);
    hosts::carry(&inventory, &mut draft);
    if let Some(calico) = calico {
        calico::peers(&calico, &inventory, &mut draft);
    }
    draft
}

/// The directory of an inventory is what people call a cluster; `inventory` and the like name none.
fn name(file: &str) -> Option<String> {
    let name = std::path::Path::new(file).parent()?.file_name()?.to_str()?;
    (!["inventory", "sample", "inventories"].contains(&name)).then(|| name.to_lowercase().replace('_', "-"))
}

fn is_yaml(file: &File) -> bool {
    let ends = |end: &str| file.name.to_ascii_lowercase().ends_with(end);
    let mut lines = file.text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    ends(".yml")
        || ends(".yaml")
        || (!ends(".ini") && lines.next().is_some_and(|line| !line.starts_with('['))) && file.text.contains("hosts:")
}

/// Adds a file of `group_vars/` or `host_vars/` to its group or host.
fn add(inventory: &mut Inventory, file: &File, draft: &mut Draft) -> Result<(), Problem> {
    let at = At::file(&file.name);
    let name = at.below(draft.base.as_deref()).0.to_owned();
    if file.text.trim_start().starts_with("$ANSIBLE_VAULT") {
        draft.leave(name, &at, "the file is encrypted: decrypt it for this, or set by hand what is in it");
        return Ok(());
    }
    let documents = document::read(&file.name, &file.text)?;
    let variables: Variables = documents.iter().flat_map(|node| node.entries().to_vec()).collect();
    let parts: Vec<&str> = file.name.split('/').collect();
    let place = parts.iter().rposition(|part| ["group_vars", "host_vars"].contains(part));
    let Some((kind, whole)) = place.and_then(|place| Some((parts[place], *parts.get(place + 1)?))) else {
        return Ok(());
    };
    let owner = whole.rsplit_once('.').filter(|(_, end)| ENDINGS.iter().any(|known| end.eq_ignore_ascii_case(known)));
    let owner = owner.map_or(whole, |(before, _)| before);
    let known = match kind {
        "host_vars" => inventory.hosts.iter_mut().find(|host| host.name == owner).map(|host| &mut host.files),
        _ if owner == groups::ALL => Some(&mut inventory.group(owner).files),
        _ => inventory.groups.get_mut(&groups::canonical(owner)).map(|group| &mut group.files),
    };
    match known {
        Some(files) => files.extend(variables),
        None => draft.leave(name, &at, "no host or group of the inventory has that name"),
    }
    Ok(())
}
